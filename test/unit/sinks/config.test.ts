import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig, type ConfigError } from '../../../src/config';
import { parseSink, type Env } from '../../support/sinks/make-sink';

const SIGNING_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const ENV: Env = { SIGNING_SECRET, TOKEN: 'canary-token', SPACED: 'canary with spaces' };

function problemsOf(config: object): string[] {
  const parsed = parseSink(config, ENV);
  return (parsed.error?.issues ?? []).map(({ path: at, message }) => `${at.join('.')}: ${message}`);
}

const webhook = { type: 'webhook', url: 'https://example.com/', signingSecrets: [{ env: 'SIGNING_SECRET' }] };
const token = { method: 'token', token: { env: 'TOKEN' } };
const vault = { type: 'vault', address: 'https://vault.example.com', path: 'a/{orgId}', auth: token };
const aws = { type: 'awsSecretsManager', region: 'eu-central-1', secretName: 'a/{orgId}' };
const keys = { publicKey: { env: 'TOKEN' }, privateKey: { env: 'TOKEN' } };
const cloudManager = { type: 'cloudManager', ...keys };

it.each([webhook, vault, aws, cloudManager])('accepts a valid $type', (config) => {
  expect(problemsOf(config)).toEqual([]);
});

it.each<[string, object, RegExp]>([
  ['no type', {}, /^type: name the type/],
  [
    'an unknown type',
    { type: 'ftp' },
    /^type: is not a type of sink: write one of file, webhook, vault, aws/,
  ],
  ['an unknown field', { ...webhook, retries: 3 }, /Unrecognized key: "retries"/],
  ['no URL', { ...webhook, url: undefined }, /^url: name its URL/],
  ['a malformed URL', { ...webhook, url: 'hooks' }, /^url: is not a URL/],
  ['a URL of another kind', { ...webhook, url: 'ftp://a/' }, /^url: is not a URL/],
  ['credentials in the URL', { ...webhook, url: 'https://me:pw@a/' }, /^url: contains credentials/],
  ['http without permission', { ...webhook, url: 'http://a/' }, /^url: is http: .* allowHttp: true/],
  ['no signing secret', { ...webhook, signingSecrets: [] }, /^signingSecrets: is empty/],
  [
    'three of them',
    { ...webhook, signingSecrets: Array(3).fill({ env: 'SIGNING_SECRET' }) },
    /more than two/,
  ],
  [
    'a short one',
    { ...webhook, signingSecrets: [{ env: 'TOKEN' }] },
    /^signingSecrets.0: .*TOKEN is not a signing/,
  ],
  [
    'a reference to nothing',
    { ...webhook, signingSecrets: [{ env: 'NOPE' }] },
    /^signingSecrets.0: .*NOPE is not set/,
  ],
  [
    'a secret in the file',
    { ...webhook, signingSecrets: ['whsec_x'] },
    /^signingSecrets.0: is not a reference/,
  ],
  ['vault by http', { ...vault, address: 'http://a/' }, /^address: is http/],
  ['vault without credentials', { ...vault, auth: undefined }, /^auth: /],
  ['an unknown method', { ...vault, auth: { method: 'ldap' } }, /^auth.method: /],
  [
    'a token with spaces',
    { ...vault, auth: { method: 'token', token: { env: 'SPACED' } } },
    /^auth.token: .*SPACED is not a cred/,
  ],
  [
    'an unknown name',
    { ...vault, path: 'a/{orgID}' },
    /^path: names \{orgID\}: the placeholders are \{orgId\}, /,
  ],
  ['a path that climbs', { ...vault, path: '../{orgId}' }, /^path: leaves its root/],
  ['a path that climbs within', { ...vault, path: 'a/../{orgId}' }, /^path: leaves its root/],
  ['a path from the root', { ...vault, path: '/a/{orgId}' }, /^path: leaves its root/],
  ['a path with a query', { ...vault, path: 'a/{orgId}?version=1' }, /^path: contains characters other than/],
  ['an encoded path', { ...vault, path: '%2e%2e/{orgId}' }, /^path: contains characters other than/],
  ['an open brace', { ...vault, path: '{orgId}/{a' }, /^path: contains characters other than/],
  ['the same path for all', { ...vault, path: 'a/b' }, /^path: is the same for every token/],
  ['a mount that climbs', { ...vault, mount: '../sys' }, /^mount: leaves its root/],
  ['no region', { ...aws, region: undefined }, /^region: name the AWS region/],
  ['a region that is none', { ...aws, region: 'Frankfurt' }, /^region: is not an AWS region/],
  ['a name AWS refuses', { ...aws, secretName: 'a:{orgId}' }, /^secretName: contains characters other than/],
  ['a tag AWS refuses', { ...aws, tags: { team: 'a&b' } }, /^tags.team: contains characters other than/],
  ['a name of a tag AWS refuses', { ...aws, tags: { 'a&b': 'x' } }, /^tags.a&b: /],
  ['a reserved tag', { ...aws, tags: { 'aws:team': 'x' } }, /^tags.aws:team: /],
  [
    'too many tags',
    { ...aws, tags: Object.fromEntries(Array.from({ length: 47 }, (_, i) => [`t${i}`, ''])) },
    /^tags: has more than 46 tags/,
  ],
  ['an http endpoint', { ...aws, endpoint: 'http://a/' }, /^endpoint: is http/],
  ['half a key pair', { ...cloudManager, privateKey: undefined }, /^privateKey: is not a reference/],
  [
    'a wait that an attempt has no time for',
    { ...cloudManager, syncTimeoutMs: 240_001 },
    /^syncTimeoutMs: is longer than 240000: one attempt to deliver ends after 5 minutes/,
  ],
  [
    'a request that an attempt has no time for',
    { ...webhook, timeoutMs: 60_001 },
    /^timeoutMs: is longer than 60000: one attempt to deliver ends after 5 minutes/,
  ],
  ['an http base', { ...cloudManager, baseUrl: 'http://a/' }, /^baseUrl: is http/],
])('refuses %s', (_what, config, problem) => {
  const problems = problemsOf(config);
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(problems.join()).not.toContain('canary');
});

it('reports every problem at once, each with its place in the file', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sink-config-'));
  const file = path.join(folder, 'config.yaml');
  writeFileSync(
    file,
    `sinks:
  a:
    type: ftp
  b:
    type: webhook
    url: http://example.com
    signingSecrets: [{ env: NOPE }]
  c:
    type: vault
    address: https://vault.example.com
    path: ../{organization}
    auth: { method: token, token: { file: nope } }
    retries: 3
  d:
    type: awsSecretsManager
    region: eu-central-1
    secretName: '{orgId}'
    tags: { 'a&b': x }
`,
  );
  let problems: readonly string[] = [];
  try {
    loadConfig({}, file);
  } catch (error) {
    problems = (error as ConfigError).problems;
  }
  rmSync(folder, { recursive: true });
  for (const place of [
    'config.yaml:3 sinks.a.type: is not a type of sink',
    'config.yaml:6 sinks.b.url: is http',
    'config.yaml:7 sinks.b.signingSecrets.0: environment variable NOPE is not set',
    'config.yaml:11 sinks.c.path: names {organization}',
    'config.yaml:11 sinks.c.path: leaves its root',
    'config.yaml:12 sinks.c.auth.token: file',
    'config.yaml:13 sinks.c.retries: is not a setting',
    'config.yaml:18 sinks.d.tags.a&b: contains characters other than letters',
  ]) {
    expect(problems).toContainEqual(expect.stringContaining(place));
  }
});
