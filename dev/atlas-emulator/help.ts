import type { Fault } from './faults';
import { ROUTE_NAMES } from './route-names';
import { DEFAULTS, DEFAULT_SEED } from './seed';

/** One example of each fault; the emulator's test sends every one. */
export const FAULT_EXAMPLES: [what: string, fault: Fault][] = [
  ['an error, twice, then all is well', { on: 'linkTokens', times: 2, status: 500 }],
  ["an error in Atlas's words", { on: 'linkTokens', errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'No.' }],
  ['one request in ten fails', { on: 'linkTokens', probability: 0.1, status: 502 }],
  ['rate limited', { on: 'linkTokens', status: 429, headers: { 'Retry-After': '2' } }],
  ["a proxy's page", { on: 'linkTokens', html: true, status: 503 }],
  ['an empty body', { on: 'linkTokens', status: 503, body: '' }],
  ['any body', { on: 'linkTokens', status: 201, body: { linkToken: 'x', extra: 1 } }],
  ['a wrong content type', { on: 'linkTokens', contentType: 'text/plain' }],
  ['200 where 201 is usual', { on: 'linkTokens', status: 200 }],
  ['a redirect', { on: 'linkTokens', status: 302, headers: { Location: 'https://example.com/' } }],
  ['gzip', { on: 'linkTokens', gzip: true }],
  ['a slow answer', { on: 'linkTokens', delayMs: 500 }],
  ['a reset without an answer', { on: 'linkTokens', reset: 'before-body' }],
  ['a reset behind the headers', { on: 'linkTokens', reset: 'after-headers' }],
  ['a reset within the body', { on: 'linkTokens', reset: 'mid-body' }],
  ['a kept-alive socket reset afterwards', { on: 'linkTokens', reset: 'after-body' }],
  ['half a body, then an orderly close', { on: 'linkTokens', truncate: true }],
  ['a slow drip', { on: 'linkTokens', drip: { bytes: 200, intervalMs: 20 } }],
  [
    'the lost answer: a token is created, nobody hears',
    { on: 'linkTokens', afterCreating: true, reset: 'before-body' },
  ],
  ['created, and answered late', { on: 'linkTokens', afterCreating: true, delayMs: 500 }],
  ['down for callers without credentials too', { on: 'orgs', beforeAuthentication: true, status: 503 }],
  ['no access token', { on: 'oauth', status: 403, errorCode: 'access_denied' }],
  ['Cloud Manager is down', { on: 'migrationLink', status: 503, html: true }],
];

const { orgId, sourceOrgId, serviceAccount, apiKey, sourceApiKey } = DEFAULTS;

const examples = FAULT_EXAMPLES.map(([what, fault]) => `  ${what}:\n    ${JSON.stringify(fault)}`).join('\n');

export const HELP = `
What exists unless --seed says otherwise:
  Atlas organization   ${orgId}
    service account    ${serviceAccount.clientId}
                       ${serviceAccount.clientSecret}
    API key            ${apiKey.publicKey}  ${apiKey.privateKey}
  source organization  ${sourceOrgId}
    API key            ${sourceApiKey.publicKey}  ${sourceApiKey.privateKey}

Seed, in FILE or by PUT. A top-level key left out keeps its default; an empty list means none:
  {"organizations": [{"id", "name"}], "sourceOrganizations": [{"id", "name"}],
   "serviceAccounts": [{"clientId", "clientSecret", "orgId", "roles": ["ORG_OWNER"]}],
   "apiKeys": [{"publicKey", "privateKey", "orgId", "roles": ["ORG_OWNER"]}],
   "settings": {...}}
Settings, with their defaults:
  ${JSON.stringify(DEFAULT_SEED.settings, null, 2).replaceAll('\n', '\n  ')}

Create a link-token (URL=http://127.0.0.1:4400):
  curl --digest --user ${apiKey.publicKey}:${apiKey.privateKey} \\
    -H 'Accept: application/vnd.atlas.2023-01-01+json' -H 'Content-Type: application/json' \\
    -d '{"accessListIps": ["203.0.113.7"]}' \\
    $URL/api/atlas/v2/orgs/${orgId}/liveMigrations/linkTokens

or with an access token:
  curl --user ${serviceAccount.clientId}:${serviceAccount.clientSecret} \\
    -d grant_type=client_credentials $URL/api/oauth/token
  and -H "Authorization: Bearer $ACCESS_TOKEN" instead of --digest and --user.

Control, never subject to faults, open to all who can reach the port:
  GET    /_emulator/state     organizations, credentials without secrets, live access tokens, link-tokens
                              created (with their text), migration links, faults that wait
  PUT    /_emulator/state     a seed: says what exists from now on; what has happened stays
  GET    /_emulator/requests  every request: on, method, path, status, challenge, startedAt; and their counts
  POST   /_emulator/faults    one fault or a list, added behind those that wait
  DELETE /_emulator/faults    no more faults
  POST   /_emulator/expire    "accessTokens" or "nonces": ends them all now
  POST   /_emulator/reset     forgets what has happened, and goes back to the first seed

  curl -d '{"on": "linkTokens", "times": 2, "status": 500}' $URL/_emulator/faults
  curl -d '"accessTokens"' $URL/_emulator/expire
  curl $URL/_emulator/requests

Faults. The first that fits a request hits it and is used up; their order is kept. They hit requests with a
valid credential, so a Digest challenge costs none. "on" is one of
  ${ROUTE_NAMES.slice(0, 6).join(', ')},
  ${ROUTE_NAMES.slice(6).join(', ')}.
With html, body, errorCode, detail, a status from 300 on, or reset "before-body" the fault is the answer and
nothing is created, unless afterCreating is set; any other fault changes only how the genuine answer is sent.
${examples}
`;
