import fc from 'fast-check';
import { readYamlFile } from '../../../src/config/yaml-file';
import { CANARY, fileIn, write } from './configuration';

const read = (yaml: string) => readYamlFile(write('lmp.yaml', yaml));

const LAUGHS = `a: &a [${CANARY}]\nb: &b [${'*a,'.repeat(101)}]\nc: [${'*b,'.repeat(101)}]\n`;

describe('a YAML file', () => {
  it('has its keys as they are written', () => {
    const keys = ['64000000000000000000000a', '12345678901234567890e123', '0x1', 'null'];
    const { content } = read(keys.map((key) => `${key}: x\n`).join(''));
    expect(content).toEqual(Object.fromEntries(keys.map((key) => [key, 'x'])));
  });

  it.each([
    ['a key twice', `a: ${CANARY}\nb: {}\na: ${CANARY}\n`, ':3 Map keys must be unique'],
    ['an alias of nothing', `a: x\nb: *${CANARY}\n`, ':2 unknown alias: put a text that starts with * in quotes'],
    ['too many aliases', LAUGHS, ' has too many aliases (*name): write more of their values out'],
  ])('with %s is refused with the reason', (_what, yaml, problem) => {
    expect(read(yaml)).toMatchObject({ content: undefined, problems: [`lmp.yaml${problem}`] });
  });

  it('that is not there is refused with both ways to name it', () => {
    expect(readYamlFile(fileIn('nope.yaml')).problems).toEqual([
      `${fileIn('nope.yaml')} cannot be read (ENOENT): name the configuration file with --config or LIVE_MIGRATION_PREP_CONFIG`,
    ]);
  });

  it('is read or refused for any text, and no problem quotes it', () => {
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
