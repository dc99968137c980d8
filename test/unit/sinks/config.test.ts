import { SINK_TYPES } from '../../../src/sinks';
import { parseSink, type Env } from '../../support/sinks/make-sink';

const TYPES = SINK_TYPES.map(({ type }) => type);
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
const tags = Object.fromEntries(Array.from({ length: 49 }, (_, i) => [`t${i}`, '']));
const signedBy = (...signingSecrets: unknown[]) => ({ ...webhook, signingSecrets });
const [signingSecret] = webhook.signingSecrets;

it.each([webhook, vault, aws, cloudManager])('accepts a valid $type', (config) => {
  expect(problemsOf(config)).toEqual([]);
});

it.each<[what: string, config: object, problem: RegExp | string]>([
  ['no type', {}, /^type: name the type/],
  ['an unknown type', { type: 'ftp' }, `type: is not a type of sink: write one of ${TYPES.join(', ')}`],
  ['a malformed URL', { ...webhook, url: 'hooks' }, /^url: is not a URL/],
  ['credentials in the URL', { ...webhook, url: 'https://me:pw@a/' }, /^url: contains credentials/],
  ['http without permission', { ...webhook, url: 'http://a/' }, /^url: is http: .* allowHttp: true/],
  ['no signing secret', signedBy(), /^signingSecrets: is empty/],
  ['three of them', signedBy(signingSecret, signingSecret, signingSecret), /more than two/],
  ['a short one', signedBy({ env: 'TOKEN' }), /^signingSecrets.0: .*TOKEN is not a signing/],
  ['a reference to nothing', signedBy({ env: 'NOPE' }), /^signingSecrets.0: .*NOPE is not set/],
  ['a secret in the file', signedBy('whsec_x'), /^signingSecrets.0: is not a reference/],
  ['vault by http', { ...vault, address: 'http://a/' }, /^address: is http/],
  ['vault without credentials', { ...vault, auth: undefined }, /^auth: names no way to auth/],
  [
    'an unknown method',
    { ...vault, auth: { method: 'ldap' } },
    /^auth.method: .*method: token or method: appRole$/,
  ],
  [
    'spaces',
    { ...vault, auth: { ...token, token: { env: 'SPACED' } } },
    /^auth.token: .*SPACED is not a cred/,
  ],
  [
    'an unknown name',
    { ...vault, path: 'a/{orgID}' },
    /^path: names \{orgID\}: the placeholders are \{orgId\}, /,
  ],
  ['a path that climbs within', { ...vault, path: 'a/../{orgId}' }, /^path: leaves its root/],
  ['an encoded path', { ...vault, path: '%2e%2e/{orgId}' }, /^path: contains characters other than/],
  ['a path from the root', { ...vault, path: '/a/{orgId}' }, /^path: leaves its root/],
  ['the same path for all', { ...vault, path: 'a/b' }, /^path: is the same for every token/],
  ['no region', { ...aws, region: undefined }, /^region: name the AWS region/],
  ['a region that is none', { ...aws, region: 'Frankfurt' }, /^region: is not an AWS region/],
  ['a name AWS refuses', { ...aws, secretName: 'a:{orgId}' }, /^secretName: contains characters other than/],
  ['a tag AWS refuses', { ...aws, tags: { team: 'a&b' } }, /^tags.team: contains characters other than/],
  ['a reserved tag', { ...aws, tags: { 'aws:team': 'x' } }, /^tags.aws:team: /],
  ['too many tags', { ...aws, tags }, /^tags: has more than 48 tags/],
  ['half a key pair', { ...cloudManager, privateKey: undefined }, /^privateKey: is not a reference/],
  ['a long wait', { ...cloudManager, syncTimeoutMs: 240_001 }, /^syncTimeoutMs: is longer than 240000: one/],
  ['a long request', { ...webhook, timeoutMs: 60_001 }, /^timeoutMs: is longer than 60000: one attempt/],
  ['an http base', { ...cloudManager, baseUrl: 'http://a/' }, /^baseUrl: is http/],
])('refuses %s', (_what, config, problem) => {
  const problems = problemsOf(config);
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(problems.join()).not.toContain('canary');
});
