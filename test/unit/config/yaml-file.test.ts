import fc from 'fast-check';
import { readYamlFile } from '../../../src/config/yaml-file';
import { CANARY, fileIn, write } from './configuration';

const read = (yaml: string) => readYamlFile(write('lmp.yaml', yaml));
const nested = (levels: number) => `a: ${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}\n`;

/** `a0` holds nine texts, `a1` nine times `a0`, and so on. */
function laughs(levels: number): string {
  const line = (_: unknown, i: number) => {
    const part = i === 0 ? CANARY : `*a${i - 1}`;
    return `a${i}: &a${i} [${Array<string>(9).fill(part).join()}]\n`;
  };
  return Array.from({ length: levels }, line).join('');
}

describe('a YAML file', () => {
  it('may use one anchor any number of times', () => {
    const organizations = Array.from({ length: 150 }, (_, i) => `  id${i}: *one\n`).join('');
    const { content, problems } = read(`one: &one {credential: a}\norganizations:\n${organizations}`);
    expect(problems).toEqual([]);
    expect(content).toMatchObject({
      organizations: { id0: { credential: 'a' }, id149: { credential: 'a' } },
    });
  });

  it.each([
    '64000000000000000000000a',
    '123456789012345678901234',
    '12345678901234567890e123',
    '0x1',
    'null',
  ])('has the key %s as it is written', (key) => {
    expect(read(`${key}: x\n`).content).toEqual({ [key]: 'x' });
  });

  it('may be empty', () => {
    expect(read('# nothing\n')).toMatchObject({ content: {}, problems: [] });
  });

  it('may be nested 100 levels deep, and be of 1 MiB', () => {
    const yaml = nested(100);
    expect(read(yaml + '#'.repeat(1024 * 1024 - yaml.length)).problems).toEqual([]);
  });

  const nestedTwice = `x: &x ${nested(60).slice(3)}y: ${nested(60).slice(3).replace('[]', '[*x]')}`;
  it.each<[what: string, yaml: string, problem: string]>([
    ['a tab', `sinks:\n\tdrop: ${CANARY}\n`, ':2 Tabs are not allowed as indentation'],
    ['a key twice', `a: ${CANARY}\nb: {}\na: ${CANARY}\n`, ':3 repeats a key of line 1: remove one'],
    ['an open quote', `a: x\nb: "${CANARY}\n`, ':3 Missing closing "quote'],
    ['an @', `a: x\nb: @${CANARY}\n`, ':2 Plain value cannot start with reserved character @'],
    [
      'an alias without its anchor',
      `a: x\nb: *${CANARY}\n`,
      ':2 has an alias (*…) without an anchor (&…) above it: quote a text that starts with *',
    ],
    ['an alias in its anchor', 'a: x\nb: &b [*b]\n', ':2 has an alias (*…) inside its own anchor (&…)'],
    [
      'aliases that expand to too much',
      laughs(10),
      ' has aliases (*…) that expand to more than 100000 values: write fewer',
    ],
    ['a second document', `a: x\n---\nb: ${CANARY}\n`, ':2 starts a second document (---): keep one'],
    ['101 levels', nested(101), ' is nested more than 100 levels deep'],
    ['5,000 levels', nested(5000), ' is nested more than 100 levels deep'],
    ['levels that aliases add up to', nestedTwice, ' is nested more than 100 levels deep'],
    ['a key that JavaScript reserves', 'sinks:\n  __proto__: {}\n', ':2 __proto__ cannot be a name'],
    ['1 MiB and a byte', '#'.repeat(1024 * 1024 + 1), ' is larger than 1 MiB'],
    ['30 MB', 'a: [\n'.repeat(6_000_000), ' is larger than 1 MiB'],
  ])('with %s is refused, where and why, and not quoted', (_what, yaml, problem) => {
    const { content, problems } = read(yaml);
    expect(content).toBeUndefined();
    expect(problems).toContain(`lmp.yaml${problem}`);
    expect(problems.join()).not.toContain('CANARY');
  });

  it('without an end is refused', () => {
    expect(readYamlFile('/dev/zero').problems).toEqual(['zero is larger than 1 MiB']);
  });

  it('with very many problems names the first 20', () => {
    const { problems } = read('}\n'.repeat(1000));
    expect(problems).toHaveLength(21);
    expect(problems.at(-1)).toBe('lmp.yaml has 980 more problems');
  });

  it('that is not there is refused with both ways to name it', () => {
    expect(readYamlFile(fileIn('nope.yaml')).problems).toEqual([
      `${fileIn('nope.yaml')} cannot be read (ENOENT): name the configuration file with --config or LIVE_MIGRATION_PREP_CONFIG`,
    ]);
  });

  it('is read or refused, whatever it says, and no problem quotes it', () => {
    const signs = Array.from('ab:-[]{},"\'|>#%@?!\t\n\u0000\uFEFF');
    const longer = [': ', '\n  ', '- ', '&a ', '*a', '? ', '!!int ', '---\n', '...\n', '<<: ', '__proto__'];
    const part = fc.constantFrom(CANARY, ...signs, ...longer);
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const { content, problems } = read(parts.join(''));
        expect(content === undefined).toBe(problems.length > 0);
        for (const problem of problems) expect(problem).toMatch(/^lmp\.yaml(:\d+)? \S/);
        expect(problems.join()).not.toContain('CANARY');
      }),
    );
  });
});
