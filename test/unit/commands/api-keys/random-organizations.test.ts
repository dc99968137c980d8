import fc from 'fast-check';
import {
  madeAtMs,
  matchKeys,
  mergeOrigins,
  stateOf,
  type AttemptOrigin,
  type Origin,
} from '../../../../src/commands/api-keys/match-keys';
import { findOriginsOf } from '../../../../src/commands/api-keys/read-histories';
import { parseLine } from '../../../../src/commands/api-keys/read-token-log';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import type { RunHistory } from '../../../../src/temporal/run-history';
import { aToken, ORG } from '../../samples';

const ORGANIZATIONS = 500;
/** Later than any clock of a machine that runs `api-keys`: what it says does not matter. */
const START_MS = Date.parse('2090-11-25T09:00:00Z');
/** By how much the clocks of Atlas and of a worker may differ from Temporal's. */
const CLOCK_ERROR_MS = 10_000;
const MAX_REQUEST_MS = 60_000;
const HEARTBEAT_TIMEOUT_MS = 60_000;

/** How a run ends, or where it is, and the status that Temporal has of it. */
const ENDINGS = {
  failed: 'FAILED',
  terminated: 'TERMINATED',
  creating: 'RUNNING',
  delivering: 'RUNNING',
  delivered: 'COMPLETED',
  cancelled: 'FAILED',
} as const;

const EMPTY_HISTORY: RunHistory = {
  request: {},
  receipt: null,
  failure: null,
  token: null,
  tokenRequestedAt: null,
  tokenReturnedAt: null,
  creatingSince: null,
  deliveredId: null,
  unconfirmedAttempts: [],
};

type Owner = 'inUse' | 'attempt' | 'forgotten' | 'person';

const iso = (ms: number) => new Date(ms).toISOString();

/** Creates a generator of random numbers (mulberry32). */
function createRandom(seed: number) {
  let state = seed;
  const upTo = (max: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % (max + 1);
  };
  const isOneIn = (number: number) => upTo(number - 1) === 0;
  const pick = <T>(values: readonly T[]) => values[upTo(values.length - 1)] as T;
  const clockErrorMs = () => upTo(2 * CLOCK_ERROR_MS) - CLOCK_ERROR_MS;
  return { upTo, isOneIn, pick, clockErrorMs };
}

/**
 * Simulates an organization: runs of a few pairs at the same time, attempts that are lost or
 * killed, tokens that are delivered or not, keys that were deleted or made by hand,
 * and runs of which only the record is left, with lines missing. Of each token one fact is left.
 */
function simulateOrganization(seed: number) {
  const { upTo, isOneIn, pick, clockErrorMs } = createRandom(seed);
  const atlasErrorMs = clockErrorMs();
  const workerErrorsMs = [clockErrorMs(), clockErrorMs()];
  /**
   * A key is in use if a run has its token, or may still get it. Any other was left by an attempt,
   * or made by hand; `forgotten` if neither a history nor the record has the attempt or its token.
   */
  const keys: { id: string; owner: Owner }[] = [];
  const histories: Origin[] = [];
  const lines: object[] = [];
  let ids = 0;

  const newId = () => `00000000-0000-4000-8000-${String((ids += 1)).padStart(12, '0')}`;

  function addKey(atMs: number, owner: Owner): void {
    const second = Math.floor((atMs + atlasErrorMs) / 1000).toString(16);
    const id = second + String((ids += 1)).padStart(16, '0');
    const isDeleted = isOneIn(4);
    if (!isDeleted) keys.push({ id, owner });
  }

  function simulatePair(sourceOrgId: string): void {
    const workflowId = workflowIdFor({ orgId: ORG, sourceOrgId });
    let nowMs = START_MS + upTo(600_000);

    function keep(runId: string, ending: keyof typeof ENDINGS, history: Partial<RunHistory>) {
      const name = ENDINGS[ending];
      const closeTime = name === 'RUNNING' ? undefined : new Date(nowMs);
      const run = { workflowId, runId, status: { name }, closeTime };
      // Temporal lists the newest run first.
      histories.unshift(...findOriginsOf(run, { ...EMPTY_HISTORY, ...history }));
    }

    const record = (msg: string, line: object) => {
      lines.push({ msg: `link-token ${msg}`, orgId: ORG, sourceOrgId, ...line });
    };

    /** @param isKilled whether its worker ends before it can report the response. */
    function simulateAttempt(runId: string, hasKey: boolean, owner: Owner, isKilled = false) {
      const scheduledMs = nowMs;
      const startedMs = scheduledMs + upTo(2000);
      const sentMs = startedMs + upTo(3000);
      const durationMs = upTo(isOneIn(4) ? MAX_REQUEST_MS : 2000);
      // A response may come before Atlas makes the key, from a gateway.
      const isLate = owner !== 'inUse' && isOneIn(2);
      const arrivedMs = sentMs + durationMs;
      const token = { deliveryId: newId(), createdAt: iso(arrivedMs + pick(workerErrorsMs)) };
      const isRecorded = hasKey && !isLate && !isKilled && isOneIn(2);
      if (isRecorded) record('received', { runId, ...token });
      if (hasKey) {
        const ownerNow = isRecorded && owner === 'forgotten' ? 'attempt' : owner;
        addKey(sentMs + upTo(isLate ? MAX_REQUEST_MS : durationMs), ownerNow);
      }
      // Temporal may be away when the response arrives.
      const waitMs = isKilled
        ? HEARTBEAT_TIMEOUT_MS
        : upTo(isOneIn(8) ? HEARTBEAT_TIMEOUT_MS : 500);
      const endedMs = arrivedMs + waitMs;
      nowMs = endedMs + upTo(10_000);
      const endedAt = iso(endedMs);
      return {
        token,
        inHistory: { startedAt: iso(startedMs), endedAt },
        inRecord: { startedAt: iso(scheduledMs), endedAt },
      };
    }

    function simulateLostAttempts(runId: string, isKept: boolean) {
      return Array.from({ length: isOneIn(2) ? upTo(3) : 0 }, () => {
        const isRecorded = !isOneIn(4);
        const owner = isKept || isRecorded ? 'attempt' : 'forgotten';
        const { inHistory, inRecord } = simulateAttempt(runId, isOneIn(2), owner, isOneIn(2));
        if (isRecorded) record('unconfirmed', { runId, ...inRecord });
        return { ...inHistory, reason: 'lost' };
      });
    }

    /** @returns what its history says of a run that has a token. */
    function simulateToken(runId: string, ending: keyof typeof ENDINGS, isKept: boolean) {
      const { token, inHistory, inRecord } = simulateAttempt(runId, true, 'inUse');
      const delivery = { ...token, sink: 'drop', location: 'file x' };
      const isDelivered = ending === 'delivered';
      const isCreationLost = (isKept || isDelivered) && isOneIn(2);
      const isDeliveryLost = (isKept || !isCreationLost) && isOneIn(2);
      if (!isCreationLost) record('created', { runId, ...token, ...inRecord });
      if (isDelivered && !isDeliveryLost) record('delivered', { runId, ...delivery });
      return {
        token: aToken(token),
        tokenRequestedAt: inHistory.startedAt,
        tokenReturnedAt: inHistory.endedAt,
        deliveredId: isDelivered ? token.deliveryId : null,
      };
    }

    for (let runs = 1 + upTo(3); runs > 0; runs -= 1) {
      const runId = newId();
      const ending = pick(Object.keys(ENDINGS) as (keyof typeof ENDINGS)[]);
      const isOpen = ENDINGS[ending] === 'RUNNING';
      const isKept = isOpen || !isOneIn(3);
      const history: Partial<RunHistory> = {
        unconfirmedAttempts: simulateLostAttempts(runId, isKept),
      };
      if (ending === 'creating' || ending === 'terminated') {
        history.creatingSince = iso(nowMs);
        simulateAttempt(
          runId,
          !isOneIn(3),
          ending === 'creating' ? 'inUse' : isKept ? 'attempt' : 'forgotten',
        );
      } else if (ending !== 'failed') {
        Object.assign(history, simulateToken(runId, ending, isKept));
      }
      if (isKept) keep(runId, ending, history);
      if (isOpen) return;
      nowMs += upTo(isOneIn(2) ? 10_000 : 600_000);
    }
  }

  for (const source of ['1', '2', '3'].slice(upTo(2))) simulatePair(source.padStart(24, '0'));
  for (let byHand = upTo(3); byHand > 0; byHand -= 1) addKey(START_MS + upTo(900_000), 'person');
  const recorded = lines.flatMap((line) => parseLine(JSON.stringify(line), ORG) ?? []);
  const withoutArrivals = recorded.filter(({ type }) => type !== 'received');
  return {
    keys,
    origins: mergeOrigins(histories, recorded),
    originsWithoutArrivals: mergeOrigins(histories, withoutArrivals),
  };
}

/** Tells whether somebody may take a key for that of an unconfirmed attempt: its time is the same. */
function isLikeThatOfAttempt(id: string, origins: readonly Origin[]): boolean {
  const attempts = origins.filter(({ state }) => state === 'unconfirmed') as AttemptOrigin[];
  return attempts.some(
    ({ startedAt, endedAt }) =>
      madeAtMs(id) + 999 >= Date.parse(startedAt) - CLOCK_ERROR_MS &&
      madeAtMs(id) <= Date.parse(endedAt) + CLOCK_ERROR_MS,
  );
}

it('api-keys calls no key in use unconfirmed, none of ours other, and none by hand ours', () => {
  const property = fc.property(fc.noShrink(fc.nat()), (seed) => {
    const { keys, origins } = simulateOrganization(seed);
    for (const { key, origins: ofKey } of matchKeys(keys, origins).matches) {
      const state = stateOf(key.id, ofKey);
      if (key.owner === 'inUse') expect(state).not.toBe('unconfirmed');
      if (key.owner === 'inUse' || key.owner === 'attempt') expect(state).not.toBe('other');
      if (key.owner === 'person' && !isLikeThatOfAttempt(key.id, origins)) {
        expect(state).not.toBe('unconfirmed');
      }
    }
  });
  fc.assert(property, { numRuns: ORGANIZATIONS });
});

it('the line of an arrival changes the state of no key that something else explains', () => {
  const property = fc.property(fc.noShrink(fc.nat()), (seed) => {
    const { keys, origins, originsWithoutArrivals } = simulateOrganization(seed);
    const statesBy = (all: readonly Origin[]) =>
      matchKeys(keys, all).matches.map((match) => stateOf(match.key.id, match.origins));
    const states = statesBy(origins);
    statesBy(originsWithoutArrivals).forEach((state, index) => {
      expect(states[index]).toBe(
        state === 'other' && states[index] === 'unknown' ? 'unknown' : state,
      );
    });
  });
  fc.assert(property, { numRuns: ORGANIZATIONS });
});
