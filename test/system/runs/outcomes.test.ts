import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Fault } from '../../../dev/atlas-emulator';
import { startAtlas, type CredentialType } from '../../support/atlas';
import { deploy } from '../../support/installation';
import { createOwnOrganizations, type OwnOrganizations } from '../../support/organizations';
import { endingOf, type Ending } from '../../support/runs';
import { certificateFor } from '../../support/servers';

const on = 'linkTokens';
const REQUEST_TIMEOUT_MS = 3000;
const NEVER_MS = 600_000;

interface Expected {
  type: Ending['type'];
  /** Requests for a link-token that Atlas sees; Digest challenges are none. */
  posts: number;
  unconfirmedTokens: number;
  /** Link-tokens that Atlas creates. */
  tokens: number;
}

let own: OwnOrganizations;
beforeAll(async () => {
  own = await createOwnOrganizations({ atlas: { requestTimeoutMs: REQUEST_TIMEOUT_MS } });
  await own.deployment.startWorker();
});

/** One run of each class: `test/unit/atlas/outcomes.test.ts` has the statuses, `test/workflow` what follows. */
it.concurrent.each<[what: string, CredentialType, Fault[], Expected]>([
  ['a token', 'serviceAccount', [], { type: 'delivered', posts: 1, unconfirmedTokens: 0, tokens: 1 }],
  ['a token, by API key', 'apiKey', [], { type: 'delivered', posts: 1, unconfirmedTokens: 0, tokens: 1 }],
  [
    'a page instead of a token',
    'serviceAccount',
    [{ on, status: 200, html: true }],
    { type: 'AtlasResponseInvalid', posts: 1, unconfirmedTokens: 1, tokens: 0 },
  ],
  [
    'a redirect, which is not followed',
    'serviceAccount',
    [{ on, status: 307, headers: { Location: '/elsewhere' } }],
    { type: 'AtlasRequestRejected', posts: 1, unconfirmedTokens: 0, tokens: 0 },
  ],
  [
    '403',
    'serviceAccount',
    [{ on, status: 403 }],
    { type: 'AtlasRequestRejected', posts: 1, unconfirmedTokens: 0, tokens: 0 },
  ],
  [
    'no access token at first',
    'serviceAccount',
    [
      { on: 'oauth', status: 503, html: true },
      { on: 'oauth', errorCode: 'access_denied', status: 403 },
    ],
    { type: 'delivered', posts: 1, unconfirmedTokens: 0, tokens: 1 },
  ],
  [
    '429, 500, a reset within a token and 503 with a page, and then a token',
    'serviceAccount',
    [
      { on, status: 429 },
      { on, status: 500 },
      { on, reset: 'mid-body' },
      { on, status: 503, html: true },
    ],
    { type: 'delivered', posts: 5, unconfirmedTokens: 3, tokens: 2 },
  ],
  [
    'no response in time although a token was created, and then 400',
    'serviceAccount',
    [
      { on, delayMs: NEVER_MS, afterCreating: true },
      { on, status: 400 },
    ],
    { type: 'AtlasRequestRejected', posts: 2, unconfirmedTokens: 1, tokens: 1 },
  ],
])('%s by %s', async (_what, credential, faults, expected) => {
  const request = own.newRequest({}, credential);
  own.setFaults(request, ...faults);
  const { type, unconfirmedTokens } = await endingOf(await own.deployment.start(request));
  const [posts, tokens] = [own.postTimes(request).length, own.created(request)];
  expect({ type, posts, unconfirmedTokens, tokens }).toEqual(expected);
});

it.concurrent.each([
  [429, 0],
  [503, 1],
])('a Retry-After of %i is observed, and ends the run past the deadline', async (status, count) => {
  const withRetryAfter = (seconds: string) => ({ on, status, headers: { 'Retry-After': seconds } }) as const;
  const request = own.newRequest();
  own.setFaults(request, withRetryAfter('1'));
  const handle = await own.deployment.start(request);
  expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: count });
  const [first = 0, second = 0] = own.postTimes(request);
  expect(second - first).toBeGreaterThanOrEqual(1000);

  const late = own.newRequest();
  own.setFaults(late, withRetryAfter('7200'));
  const { type, unconfirmedTokens, message } = await endingOf(await own.deployment.start(late));
  expect({ type, unconfirmedTokens }).toEqual({ type: 'AtlasUnavailable', unconfirmedTokens: count });
  expect(message).toMatch(`last error: Atlas returned ${status}`);
});

it.concurrent('a certificate of an authority in NODE_EXTRA_CA_CERTS is trusted: delivered', async () => {
  const certificate = await certificateFor();
  const deployment = await deploy({ atlas: await startAtlas({ https: certificate }) });
  const authority = path.join(deployment.folder, 'authority.pem');
  writeFileSync(authority, certificate.cert);
  await deployment.startWorker({ NODE_EXTRA_CA_CERTS: authority });
  expect(await endingOf(await deployment.start())).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
});
