import { forEachClaim } from '../../src/contract/claims';
import type { PrepareRequest, Receipt, SealedToken } from '../../src/contract/schemas';
import type { Retries } from '../../src/shared/activities';
import type { Sink } from '../../src/sinks/sink';

/*
 * Values that are valid in every respect. A test writes down only those that it is about.
 */

/** The Atlas organization, and the organization of the source. */
export const ORG = '64f1c0ffee5eed0000000a71';
export const SOURCE_ORG = '64f1c0ffee5eed0000005c01';
/** An organization that no sample names. */
export const OTHER_ORG = '64f1c0ffee5eed0000000b72';

/** The backoff of a third attempt is 2 to 4 s. */
export const BACKOFF = { initialIntervalMs: 1000, maximumIntervalMs: 60_000 };

const ATTEMPT_TIMEOUTS = { attemptTimeoutMs: 0, heartbeatTimeoutMs: 0 };
export const RETRIES: Retries = {
  ...BACKOFF,
  create: ATTEMPT_TIMEOUTS,
  giveUpAfterMs: 600_000,
  deliver: ATTEMPT_TIMEOUTS,
  roundMs: 60_000,
};

/** A request as a caller sends it, without the optional fields. `more` need not be valid. */
export const aRequest = (more: object = {}): PrepareRequest => ({
  orgId: ORG,
  accessListIps: ['192.31.196.7'],
  sink: 'drop',
  ...more,
});

/** What the worker adds to a request for the fields that its caller left out. */
export const LEFT_OUT = { sourceOrgId: null, ...forEachClaim(() => null) };

/** What a token keeps of its request, which had all the optional fields. */
export const FACTS = {
  orgId: ORG,
  sourceOrgId: SOURCE_ORG,
  accessListIps: ['192.31.196.7'],
  credential: 'acme',
  warnings: ['a warning'],
  ...forEachClaim((claim) => `a ${claim}`),
};

/** A sealed token, which no key opens. `more` need not be valid. */
export const aToken = (more: object = {}): SealedToken => ({
  ...FACTS,
  jwe: 'a.b.c.d.e',
  deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748f',
  tokenSha256: 'a'.repeat(64),
  publicApiKey: 'abcdefgh',
  createdAt: '2026-11-25T09:00:00.500Z',
  unconfirmedTokens: 0,
  ...more,
});

/** The receipt of that token. `more` need not be valid. */
export function aReceipt(more: object = {}): Receipt {
  const { jwe: _, publicApiKey = null, ...facts } = aToken();
  return {
    ...facts,
    publicApiKey,
    ...FACTS,
    sink: 'drop',
    alsoTried: [],
    location: 'file tokens/x.link-token',
    deliveredAt: '2026-11-25T09:00:01.500Z',
    ...more,
  };
}

/** A sink that takes every token. */
export const aSink = (more: Partial<Sink> = {}): Sink => ({
  deliver: () => Promise.resolve('a place'),
  check: () => Promise.resolve('it works'),
  ...more,
});
