import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { CLAIM_NAMES } from '../../../src/contract/claims';
import { deliverySchema } from '../../../src/contract/schemas';
import { SINK_TYPES, sinkConfigSchema } from '../../../src/sinks';
import { linkTokenCreatedSchema } from '../../../src/sinks/webhook';
import {
  ROOT,
  codeBlocks,
  codeSpans,
  page,
  relativeLinks,
  sectionBelow,
  tableBelow,
} from '../../support/markdown';
import { documentedSettings, load, write } from '../config/configuration';

/** Turns `awsSecretsManager` into `aws-secrets-manager`. */
const nameOf = (type: string) => type.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const OTHERS = [
  'index.ts',
  'classify-delivery-error.ts',
  'sink.ts',
  'utils',
  'contract.ts',
  'group.test.ts',
  'README.md',
];

it.each(['src/sinks', 'docs/sinks', 'test/system/sinks'])(
  '%s has the registered types and no others',
  (folder) => {
    const names = readdirSync(path.join(ROOT, folder)).filter((name) => !OTHERS.includes(name));
    const types = SINK_TYPES.map(({ type }) => nameOf(type));
    expect(names.map((name) => name.replace(/\..*/, '')).sort()).toEqual(types.sort());
  },
);

/**
 * Creates a value for each environment variable of an example; one that suits every kind of secret.
 */
function envOf(yaml: string): Record<string, string> {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  return Object.fromEntries(
    [...yaml.matchAll(/env: (\w+)/g)].map(([, name = '']) => [name, secret]),
  );
}

/**
 * Writes each file that an example names, and returns the example with the paths of these files.
 */
function withFiles(yaml: string): string {
  return yaml.replace(
    /file: (\S+)/g,
    (_reference, name: string) => `file: ${write(path.basename(name), 'a-secret')}`,
  );
}

const TYPES = SINK_TYPES.map(({ type }) => type);
const env = {
  SIGNING_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  TOKEN: 'canary-token',
  SPACED: 'canary with spaces',
};

const [secret, token] = [{ env: 'SIGNING_SECRET' }, { env: 'TOKEN' }];
const webhook = { type: 'webhook', url: 'https://a/', signingSecrets: [secret] };
const vault = { type: 'vault', address: 'https://a/', path: 'a/{orgId}', token };
const aws = { type: 'awsSecretsManager', region: 'eu-central-1', secretName: 'a/{orgId}' };
const SOURCE = '64f1c0ffee5eed0000005c01';
const cloudManagerOf = (sources: object) => ({ type: 'cloudManager', sources });
const source = { orgId: '64f1c0ffee5eed0000000a71', publicKey: 'public', privateKey: token };
const cloudManager = cloudManagerOf({ [SOURCE]: source });
const tags = Object.fromEntries(Array.from({ length: 49 }, (_, i) => [`t${i}`, '']));

const signedBy = (...signingSecrets: object[]) => ({ ...webhook, signingSecrets });
const vaultAt = (path: string) => ({ ...vault, path });

const REFUSED: [
  what: string,
  config: { type?: string; [setting: string]: unknown },
  problem: string | RegExp,
][] = [
  ['without a type', {}, 'type: name the type of the sink'],
  [
    'of an unknown type',
    { type: 'ftp' },
    `type: is not a type of sink: write one of ${TYPES.join(', ')}`,
  ],
  ['with a malformed URL', { ...webhook, url: 'hooks' }, 'url: is not a URL'],
  [
    'with credentials in its URL',
    { ...webhook, url: 'https://me:pw@a/' },
    'url: contains credentials',
  ],
  [
    'with plain http and no permission',
    { ...webhook, url: 'http://a/' },
    /^url: is http: .* allowHttp: true/,
  ],
  ['that reaches Vault by plain http', { ...vault, address: 'http://a/' }, 'address: is http'],
  ['that reaches AWS by plain http', { ...aws, endpoint: 'http://a/' }, 'endpoint: is http'],
  [
    'that reaches Cloud Manager by plain http',
    { ...cloudManager, baseUrl: 'http://a/' },
    'baseUrl: is http',
  ],
  ['without a source', cloudManagerOf({}), 'sources: is empty, so the sink takes no token'],
  ['with a source that is not an id', cloudManagerOf({ acme: source }), 'sources.acme: '],
  [
    'with a source without a private key',
    cloudManagerOf({ [SOURCE]: { ...source, privateKey: undefined } }),
    `sources.${SOURCE}.privateKey: is not a reference`,
  ],
  [
    'with a source without its Atlas organization',
    cloudManagerOf({ [SOURCE]: { ...source, orgId: undefined } }),
    `sources.${SOURCE}.orgId: `,
  ],
  ['without a signing secret', signedBy(), 'signingSecrets: is empty'],
  [
    'with three signing secrets',
    signedBy(secret, secret, secret),
    'signingSecrets: has more than two',
  ],
  [
    'with a signing secret that is too short',
    signedBy(token),
    /^signingSecrets.0: .*TOKEN is not a signing/,
  ],
  ['with a secret written out', { ...vault, token: 'canary' }, 'token: is not a ref'],
  [
    'with a token that has spaces',
    { ...vault, token: { env: 'SPACED' } },
    /^token: .*SPACED is not a cred/,
  ],
  [
    'with an unknown placeholder',
    vaultAt('a/{orgID}'),
    'path: names {orgID}: the placeholders are {orgId}, ',
  ],
  ['with a path that climbs within', vaultAt('a/../{orgId}'), 'path: is not a path below its root'],
  ['with a path from the root', vaultAt('/a/{orgId}'), 'path: is not a path below its root'],
  ['with an encoded path', vaultAt('%2e%2e/{orgId}'), 'path: contains characters other than'],
  ['with the same path for every token', vaultAt('a/b'), 'path: is the same for every token'],
  ['with a malformed AWS region', { ...aws, region: 'Frankfurt' }, 'region: is not an AWS region'],
  [
    'with a tag that AWS refuses',
    { ...aws, tags: { team: 'a&b' } },
    'tags.team: contains characters other than',
  ],
  ['with a reserved tag', { ...aws, tags: { 'aws:team': 'x' } }, 'tags.aws:team: '],
  ['with too many tags', { ...aws, tags }, 'tags: has more than 48 tags'],
  ['without a directory', { type: 'file' }, 'directory: '],
  [
    'with a syncTimeoutMs that is too long',
    { ...cloudManager, syncTimeoutMs: 240_001 },
    'syncTimeoutMs: is longer than 240000 ms: one',
  ],
  [
    'with a timeoutMs that is too long',
    { ...webhook, timeoutMs: 60_001 },
    'timeoutMs: is longer than 60000 ms: one attempt',
  ],
];

/** The sinks of the runs in test/system/secrecy.test.ts. */
const SINKS_OF_OTHER_RUNS = ['file', 'webhook'];

describe.each(SINK_TYPES)('the sink type $type', (sinkType) => {
  const { type } = sinkType;
  // Read in each test, so that one missing file hides no other failure.
  const readPage = () => page(`docs/sinks/${nameOf(type)}.md`);
  const readTest = () => page(`test/system/sinks/${nameOf(type)}.test.ts`);

  it('has a system test with the contract of every sink', () => {
    expect(readTest()).toContain(`testContract('${type}',`);
  });

  it('has a system test of a run, which its group loads', () => {
    if (SINKS_OF_OTHER_RUNS.includes(type)) return;
    expect(readTest()).toContain(`testRun('${type}')`);
    expect(page('test/system/sinks/group.test.ts')).toContain(`require('./${nameOf(type)}.test')`);
  });

  it('is linked from README.md and from docs/sinks/README.md', () => {
    expect(relativeLinks(page('README.md'))).toContain(`docs/sinks/${nameOf(type)}.md`);
    expect(relativeLinks(page('docs/sinks/README.md'))).toContain(`${nameOf(type)}.md`);
  });

  it('has a test of a configuration that it refuses', () => {
    expect(REFUSED.filter(([, config]) => config.type === type)).not.toEqual([]);
  });

  it('has a page with its settings, their defaults and every section', () => {
    const context = { env: {}, baseDirectory: '/', warn: () => undefined };
    const documentation = readPage();
    const settings = tableBelow(documentation, `Sink \`${type}\``).flatMap(([names = '', value]) =>
      names.split(', ').map((name) => [name, value]),
    );
    const description = expect.not.stringMatching(/`|required/) as unknown;
    const expected = documentedSettings(sinkType.configSchema(context)).map(([name, value]) => [
      name,
      value === 'none' ? description : value,
    ]);
    expect(settings.sort()).toEqual(expected.sort());
    for (const heading of ['What the sink stores', 'Failures']) {
      expect(sectionBelow(documentation, heading).slice(heading.length)).toMatch(/\w/);
    }
  });

  it('has examples, each of which is a whole configuration', async () => {
    const examples = codeBlocks(readPage(), 'yaml');
    expect(examples.length).toBeGreaterThan(0);
    for (const yaml of examples) {
      expect(yaml).toContain(`type: ${type}\n`);
      const { sinks } = load(withFiles(yaml), envOf(yaml));
      for (const make of sinks.values()) expect(await make()).toHaveProperty('deliver');
    }
  });
});

it('docs/sinks/README.md names every stored field, and no other', () => {
  const spans = codeSpans(sectionBelow(page('docs/sinks/README.md'), 'Stored fields'));
  const fields = spans.filter((span) => !SINK_TYPES.some(({ type }) => type === span));
  expect([...fields, ...CLAIM_NAMES].sort()).toEqual(Object.keys(deliverySchema.shape).sort());
});

it('docs/sinks/webhook.md shows an event that its schema accepts, with every field and its hash', () => {
  const [text = ''] = codeBlocks(page('docs/sinks/webhook.md'), 'json');
  const json: unknown = JSON.parse(text);
  const event = linkTokenCreatedSchema.parse(json);
  expect(event).toEqual(json);
  const { linkToken, tokenSha256 } = event.data;
  expect(tokenSha256).toBe(createHash('sha256').update(linkToken).digest('hex'));
});

it.each(REFUSED)('a sink %s is refused', (_what, config, problem) => {
  const { error } = sinkConfigSchema({ env, baseDirectory: '/', warn: () => undefined }).safeParse(
    config,
  );
  const problems = error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const isExpected =
    problem instanceof RegExp ? expect.stringMatching(problem) : expect.stringContaining(problem);
  expect(problems).toEqual([isExpected]);
  expect(problems?.join()).not.toContain('canary');
});
