import fc from 'fast-check';
import {
  matchKeys,
  mergeOrigins,
  stateOf,
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
  sinksTried: [],
};

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
 * killed, tokens that are delivered, recovered or neither, keys that were deleted or made by hand,
 * and runs of which only the record is left, with lines missing. Of each token one fact is left.
 */
function simulateOrganization(seed: number) {
  const { upTo, isOneIn, pick, clockErrorMs } = createRandom(seed);
  const atlasErrorMs = clockErrorMs();
  const workerErrorsMs = [clockErrorMs(), clockErrorMs()];
  /** A key is in use if a run has its token, or may still get it. */
  const keys: { id: string; isInUse: boolean }[] = [];
  const histories: Origin[] = [];
  const lines: object[] = [];
  let ids = 0;

  const newId = () => `00000000-0000-4000-8000-${String((ids += 1)).padStart(12, '0')}`;

  function addKey(atMs: number, isInUse: boolean): void {
    const second = Math.floor((atMs + atlasErrorMs) / 1000).toString(16);
    const id = second + String((ids += 1)).padStart(16, '0');
    const isDeleted = isOneIn(4);
    if (!isDeleted) keys.push({ id, isInUse });
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
    function simulateAttempt(hasKey: boolean, isInUse: boolean, isKilled = false) {
      const scheduledMs = nowMs;
      const startedMs = scheduledMs + upTo(2000);
      const sentMs = startedMs + upTo(3000);
      const durationMs = upTo(isOneIn(4) ? MAX_REQUEST_MS : 2000);
      if (hasKey) addKey(sentMs + upTo(durationMs), isInUse);
      const arrivedMs = sentMs + durationMs;
      // Temporal may be away when the response arrives.
      const waitMs = isKilled
        ? HEARTBEAT_TIMEOUT_MS
        : upTo(isOneIn(8) ? HEARTBEAT_TIMEOUT_MS : 500);
      const endedMs = arrivedMs + waitMs;
      nowMs = endedMs + upTo(10_000);
      const endedAt = iso(endedMs);
      return {
        arrivedMs,
        inHistory: { startedAt: iso(startedMs), endedAt },
        inRecord: { startedAt: iso(scheduledMs), endedAt },
      };
    }

    function simulateLostAttempts(runId: string) {
      return Array.from({ length: isOneIn(2) ? upTo(3) : 0 }, () => {
        const { inHistory, inRecord } = simulateAttempt(isOneIn(2), false, isOneIn(2));
        if (!isOneIn(4)) record('unconfirmed', { runId, ...inRecord });
        return { ...inHistory, reason: 'lost' };
      });
    }

    /** @returns what its history says of a run that has a token. */
    function simulateToken(runId: string, ending: keyof typeof ENDINGS, isKept: boolean) {
      const { arrivedMs, inHistory, inRecord } = simulateAttempt(true, true);
      const createdAt = iso(arrivedMs + pick(workerErrorsMs));
      const token = { deliveryId: newId(), createdAt };
      const delivery = { ...token, sink: 'drop', location: 'file x' };
      const isDelivered = ending === 'delivered';
      const isRecovered = ending === 'cancelled' && isOneIn(2);
      const isCreationLost = (isKept || isDelivered || isRecovered) && isOneIn(2);
      const isDeliveryLost = (isKept || !isCreationLost) && isOneIn(2);
      if (!isCreationLost) record('created', { runId, ...token, ...inRecord });
      if (isDelivered && !isDeliveryLost) record('delivered', { runId, ...delivery });
      if (isRecovered) {
        const recoveryEnding = pick(['delivered', 'cancelled'] as const);
        const deliveredId = recoveryEnding === 'delivered' ? token.deliveryId : null;
        keep(newId(), recoveryEnding, { token: aToken(token), deliveredId });
        if (deliveredId && isOneIn(2)) record('delivered', { runId: newId(), ...delivery });
      }
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
      const history: Partial<RunHistory> = { unconfirmedAttempts: simulateLostAttempts(runId) };
      if (ending === 'creating' || ending === 'terminated') {
        history.creatingSince = iso(nowMs);
        simulateAttempt(!isOneIn(3), ending === 'creating');
      } else if (ending !== 'failed') {
        Object.assign(history, simulateToken(runId, ending, isKept));
      }
      if (isKept) keep(runId, ending, history);
      if (isOpen) return;
      nowMs += upTo(isOneIn(2) ? 10_000 : 600_000);
    }
  }

  for (const source of ['1', '2', '3'].slice(upTo(2))) simulatePair(source.padStart(24, '0'));
  for (let byHand = upTo(3); byHand > 0; byHand -= 1) addKey(START_MS + upTo(900_000), false);
  const recorded = lines.flatMap((line) => parseLine(JSON.stringify(line), ORG) ?? []);
  return { keys, origins: mergeOrigins(histories, recorded) };
}

it('api-keys never calls the key of a token unconfirmed, or of another', () => {
  const property = fc.property(fc.noShrink(fc.nat()), (seed) => {
    const { keys, origins } = simulateOrganization(seed);
    const states = matchKeys(keys, origins).matches.map(({ key, origins: ofKey }) => {
      return { ...key, state: stateOf(ofKey) };
    });
    const inUse = states.filter(({ isInUse }) => isInUse).map(({ state }) => state);
    expect(inUse).not.toContain('unconfirmed');
    expect(inUse).not.toContain('other');
  });
  fc.assert(property, { numRuns: ORGANIZATIONS });
});
