import { inspect } from 'node:util';
import fc from 'fast-check';
import { loadConfig } from '../../../src/config';
import { readYamlFile } from '../../../src/config/yaml-file';
import { makeKey } from '../../../src/secrets/sealing';
import { ORG } from '../samples';
import { CANARY, ENV, SINKS, fileIn, load, problemsOf, write } from './configuration';

it('all but a sink, a credential and the sealing keys has a default', () => {
  const config = load(SINKS);
  expect(config).toMatchObject({
    atlas: { baseUrl: 'https://cloud.mongodb.com', organizations: null },
    deployment: null,
    warnings: [],
  });
  expect([...config.atlas.credentials.keys(), ...config.sinks.keys()]).toEqual(['default', 'drop']);
  expect(load(`${SINKS}metrics: {}\n`).metrics).toEqual({ host: '127.0.0.1', port: 9464 });
  expect(inspect(config, { showHidden: true, depth: 10 })).not.toContain('CANARY');
});

it('LIVE_MIGRATION_PREP_CONFIG names the file, which --config overrides', () => {
  const fromEnv = write('env.yaml', `${SINKS}taskQueue: env\n`);
  const fromOption = write('option.yaml', `${SINKS}taskQueue: option\n`);
  const env = { ...ENV, LIVE_MIGRATION_PREP_CONFIG: fromEnv };
  expect(loadConfig(env).taskQueue).toBe('env');
  expect(loadConfig(env, fromOption).taskQueue).toBe('option');
});

it('credentials of the file are added to that of the environment', () => {
  const yaml = `${SINKS}
atlas:
  credentials:
    a: {type: serviceAccount, clientId: {env: A_ID}, clientSecret: {file: a.secret}}
    b: {type: apiKey, publicKey: {env: B_PUBLIC}, privateKey: {env: B_PRIVATE}}
  organizations:
    ${ORG}: {credential: b, sinks: [drop]}
`;
  write('a.secret', `${CANARY}-a\n`);
  const { atlas } = load(yaml, { A_ID: 'id', B_PUBLIC: 'public', B_PRIVATE: `${CANARY}-b` });
  expect([...atlas.credentials.keys()]).toEqual(['default', 'a', 'b']);
  const a = atlas.credentials.get('a');
  expect(a?.type === 'serviceAccount' && a.clientSecret.read()).toBe(`${CANARY}-a`);
});

it('an organization id of digits stays a string, and YAML aliases share settings', () => {
  const { atlas } = load(`${SINKS}  other: {type: file, directory: other}
atlas:
  organizations:
    ${ORG}: &one {credential: default, sinks: [other]}
    123456789012345678901234: *one
`);
  const settings = { credential: 'default', sinks: ['other'] };
  expect(atlas.organizations).toEqual(
    new Map([ORG, '123456789012345678901234'].map((id) => [id, settings])),
  );
});

it('sealing keys of a file take precedence over those of the environment', () => {
  write('keys.json', JSON.stringify({ keys: [{ ...makeKey(new Date()), kid: 'of-the-file' }] }));
  expect(load(`${SINKS}sealing: {keys: {file: keys.json}}\n`).sealing.keyIds()).toEqual([
    'of-the-file',
  ]);
});

it('a configuration with many problems names all of them at once, each with its place', () => {
  const yaml = `taskQueu: x
sinks:
  drop: {type: file, directory: d}
  bad: {type: file}
atlas:
  prety: true
  credentials:
    a: {type: serviceAccount, clientId: {env: NOPE}, clientSecret: ${CANARY}}
  organizations:
    ${ORG}: {credential: default, sinks: [nope]}
    UPPER: {credential: default, sinks: [drop]}
sealing: {keys: {file: nope.json}}
`;
  const env = { MONGODB_ATLAS_BASE_URL: 'nonsense', MONGODB_ATLAS_CLIENT_SECRET: undefined };
  const places = problemsOf(yaml, env).map((problem) =>
    problem.replace(/^lmp\.yaml|(:| is) .*$/g, ''),
  );
  expect(places.sort()).toEqual([
    ':1 taskQueu',
    `:10 atlas.organizations.${ORG}.sinks.0`,
    ':11 atlas.organizations.UPPER',
    ':12 sealing.keys',
    ':4 sinks.bad.directory',
    ':6 atlas.baseUrl',
    ':6 atlas.prety',
    ':8 atlas.credentials.a.clientId',
    ':8 atlas.credentials.a.clientSecret',
    ':8 atlas.credentials.default.clientSecret',
  ]);
});

const read = (yaml: string | Buffer) => readYamlFile(write('lmp.yaml', yaml));

const LAUGHS = `a: &a [${CANARY}]\nb: &b [${'*a,'.repeat(101)}]\nc: [${'*b,'.repeat(101)}]\n`;

describe('a YAML file', () => {
  const BAD_ALIAS =
    ' has an unknown alias, or too many of them (*name):' +
    ' put a text that starts with * in quotes, or write values out';

  it('has its keys as they are written', () => {
    const keys = ['64000000000000000000000a', '12345678901234567890e123', '0x1', 'null'];
    const { content } = read(keys.map((key) => `${key}: x\n`).join(''));
    expect(content).toEqual(Object.fromEntries(keys.map((key) => [key, 'x'])));
  });

  it.each([
    ['a key twice', `a: ${CANARY}\nb: {}\na: ${CANARY}\n`, ':3 Map keys must be unique'],
    [
      'a byte of Latin-1',
      Buffer.from('a: \u00fc', 'latin1'),
      ' is not text in UTF-8: save it as UTF-8',
    ],
    ['UTF-16', Buffer.from('\uFEFFa: x', 'utf16le'), ' is not text in UTF-8: save it as UTF-8'],
    ['an alias of nothing', `a: x\nb: *${CANARY}\n`, BAD_ALIAS],
    ['too many aliases', LAUGHS, BAD_ALIAS],
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
    const longer = [
      ': ',
      '\n  ',
      '- ',
      '&a ',
      '*a',
      '? ',
      '!!int ',
      '---\n',
      '...\n',
      '<<: ',
      '__proto__',
    ];
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
