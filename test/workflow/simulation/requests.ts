import { Context } from '@temporalio/activity';
import { MAX_LINK_TOKEN_BYTES } from '../../../src/contract/limits';
import type { Backoff } from '../../../src/shared/activities';
import { toObject } from '../../../src/shared/object';
import type { SimulatedActivity } from './activity';
import { ACCESS_TOKEN_PATH, type Atlas } from './atlas';
import { nowMs } from './clock';
import { GIVE_UP_AFTER_MS } from './config';
import { REQUEST_TIMEOUT_MS, type OnResponse, type Process, type SentRequest } from './network';
import type { Report } from './resolutions';
import type { SimulatedRun } from './run';
import type { SimulatedTemporal } from './temporal';

/*
 * What holds for the requests to Atlas. It judges by what was sent and what came back, and knows
 * nothing of how the worker decides.
 */

export interface Reporter {
  process: Process;
  /** Whether it has no other attempt under way. */
  isAlone: boolean;
  /** Whether it has been told to shut down, and finishes its attempts. */
  isStopping: boolean;
}

/** The longest time for which a worker holds requests back, even if Atlas requests more. */
export const MAX_HOLD_MS = 15 * 60_000;

/** Of a worker, while Atlas fails. */
interface Outage {
  sinceMs: number;
  /** Of POSTs, one after the other. */
  failures: number;
  lastFailureMs: number;
  probes: number;
}

export function watchRequests(
  temporal: SimulatedTemporal,
  { initialIntervalMs, maximumIntervalMs }: Backoff,
) {
  /** Sentences that do not hold. */
  const problems = new Set<string>();
  /** The attempts that made a request, whether it was written or not. */
  const requested = new Set<string>();
  /** Creations whose last response leaves open whether a key was made: `<run id> <activity id>`. */
  const uncertain = new Set<string>();
  /** The runs that sent a POST. */
  const senders = new Set<SimulatedRun>();
  /** The attempts that sent a POST; true if Atlas refused its authentication. */
  const posted = new Map<string, boolean>();
  /** Until when each attempt waits for the response to its POST. */
  const waitsUntilMs = new Map<string, number>();
  const outages = new Map<Process, Outage>();
  /** The last access token that each worker got, and how often its clock had been set. */
  const accessTokens = new Map<Process, { token: string; timesSet: number }>();
  /** The status of the last response that an attempt got; null if none arrived. */
  const lastStatus = new Map<string, number | null>();
  /** Until when Atlas and each sink want no request of a run. */
  const notBeforeMs = new Map<string, number>();
  /** The same, as the last response to an attempt requests; it holds once its report arrives. */
  const requestedMs = new Map<string, [string, number]>();
  /** Until when a worker may hold back requests, since an attempt failed at Atlas. */
  const holdsUntilMs = new Map<Process, number>();

  function noteHold(process: Process, ms: number): void {
    holdsUntilMs.set(process, Math.max(holdsUntilMs.get(process) ?? 0, nowMs() + ms));
  }

  /** An attempt that has waited looks at its run when it begins. */
  function isPermitted(run: SimulatedRun, activity: SimulatedActivity, attempt: number): boolean {
    if (attempt === 1 && activity.scheduledAtMs === run.creations[0]) return true;
    const begunMs = activity.begunMs.get(attempt) ?? 0;
    const startedMs = activity.startedMs.get(attempt) ?? 0;
    const isTooLate = startedMs - (run.creations[0] ?? 0) >= GIVE_UP_AFTER_MS;
    const overMs = activity.overMs.get(attempt) ?? Infinity;
    // What happens in the same millisecond may come after it.
    const goneMs = Math.min(overMs, run.cancelRequestedMs, run.closeMs ?? Infinity);
    return !isTooLate && begunMs <= goneMs;
  }

  /** Tells whether an attempt that has sent nothing should have sent its request. */
  function mayStillSend(activity: SimulatedActivity, attempt: number): boolean {
    const { run } = activity;
    const startedMs = activity.startedMs.get(attempt) ?? Infinity;
    const isInTime = startedMs < (run.creations[0] ?? 0) + GIVE_UP_AFTER_MS;
    const isWanted = activity.isUnderWay(attempt) && !run.isCancelRequested;
    return isInTime && isWanted && temporal.awayUntilMs < startedMs;
  }

  /** @param begunMs of the attempt: one that began before the outage is no probe. */
  function watchOutage(process: Process, begunMs: number): OnResponse {
    const outage = outages.get(process);
    const isProbe = outage !== undefined && begunMs > outage.sinceMs;
    if (isProbe) {
      const { lastFailureMs, failures, probes } = outage;
      const backoffMs = Math.min(initialIntervalMs * 2 ** (failures - 1), maximumIntervalMs);
      if (probes > 0) problems.add('while Atlas fails, a worker sends one POST at a time');
      // A request that was under way already may fail during a probe.
      if (begunMs > lastFailureMs && nowMs() < lastFailureMs + backoffMs / 2) {
        problems.add('while Atlas fails, the pauses between the POSTs of a worker grow');
      }
      outage.probes += 1;
    }
    return (status) => {
      if (isProbe) outage.probes -= 1;
      const current = outages.get(process);
      if (status !== null && status < 500) outages.delete(process);
      else if (!current) {
        const sinceMs = nowMs();
        outages.set(process, { sinceMs, failures: 1, lastFailureMs: sinceMs, probes: 0 });
      } else {
        current.lastFailureMs = nowMs();
        if (isProbe) current.failures += 1;
      }
    };
  }

  const idOf = ({ run, id }: SimulatedActivity, attempt: number) => `${run.runId} ${id} ${attempt}`;

  return {
    problems,
    uncertain,
    senders,

    /** Of any request of an attempt, before it has a connection. */
    onRequest({ process, path }: SentRequest): void {
      const { activity, attempt } = findAttempt(temporal);
      requested.add(idOf(activity, attempt));
      // It may fail for all attempts that wait for the access token.
      if (path === ACCESS_TOKEN_PATH) noteHold(process, REQUEST_TIMEOUT_MS + maximumIntervalMs / 2);
    },

    /** Of any request of an attempt, once it is written. */
    onWritten({ host, process }: SentRequest): OnResponse {
      const { run, activity, attempt } = findAttempt(temporal);
      const isAtlas = host === 'atlas.test';
      const waiting = isAtlas ? run.runId : `${run.runId} ${host}`;
      // The one attempt that somebody requests at once does not wait.
      const isRedelivery = activity.options.retryPolicy?.maximumAttempts === 2;
      const mayWait = activity.isUnderWay(attempt) && !isRedelivery;
      if (mayWait && nowMs() < (notBeforeMs.get(waiting) ?? 0)) {
        problems.add('no run sends a request to Atlas or its sink before a Retry-After is over');
      }
      return (status, _body, retryAfterMs) => {
        lastStatus.set(idOf(activity, attempt), status);
        if (isAtlas) noteHold(process, Math.min(retryAfterMs, MAX_HOLD_MS));
        // A date has whole seconds.
        requestedMs.set(idOf(activity, attempt), [waiting, nowMs() + retryAfterMs - 1000]);
      };
    },

    onPost({ process, sentMs }: SentRequest): OnResponse {
      const { run, activity, attempt } = findAttempt(temporal);
      const id = `${run.runId} ${activity.id}`;
      const attemptId = idOf(activity, attempt);
      senders.add(run);
      if (!isPermitted(run, activity, attempt)) {
        problems.add(
          'an attempt that begins after the cancel, the deadline, or its own end sends nothing,' +
            ' unless it is the first of its run',
        );
      }
      if (posted.get(attemptId) === false) {
        problems.add('an attempt sends one POST, unless refused');
      }
      posted.set(attemptId, false);
      waitsUntilMs.set(attemptId, sentMs + REQUEST_TIMEOUT_MS);
      uncertain.add(id);
      const onOutcome = watchOutage(process, activity.begunMs.get(attempt) ?? 0);
      return (status, body) => {
        posted.set(attemptId, status === 401);
        waitsUntilMs.delete(attemptId);
        if (isCertain(status, body)) uncertain.delete(id);
        onOutcome(status, body, 0);
      };
    },

    onAccessTokenRequest({ process }: SentRequest, atlas: Atlas): OnResponse {
      const held = accessTokens.get(process);
      const isSameClock = held?.timesSet === process.clock.timesSet;
      if (held && isSameClock && atlas.worksForMs(held.token) > 60_000) {
        problems.add('a worker requests no access token while it has one that works');
      }
      // Whatever the reason, it has let go of the former one.
      accessTokens.delete(process);
      return (status, body) => {
        if (status !== 200) {
          outages.delete(process);
          noteHold(process, maximumIntervalMs / 2);
        }
        const { access_token: token } = toObject(parse(body)) as { access_token?: string };
        if (token) accessTokens.set(process, { token, timesSet: process.clock.timesSet });
      };
    },

    /** Called when the report of an attempt reaches Temporal. */
    onArrival(activity: SimulatedActivity, attempt: number): void {
      const wait = requestedMs.get(idOf(activity, attempt));
      if (wait && activity.isUnderWay(attempt)) notBeforeMs.set(...wait);
    },

    onReport: (
      activity: SimulatedActivity,
      attempt: number,
      report: Report,
      worker: Reporter,
    ): void => {
      if (!('failure' in report)) return;
      const { applicationFailureInfo } = report.failure;
      const attemptId = idOf(activity, attempt);
      const status = lastStatus.get(attemptId);
      const isRejected = /Rejected$/.test(applicationFailureInfo?.type ?? '');
      if (isRejected && status !== undefined && isTemporary(status)) {
        problems.add('an attempt is rejected for good only by a response that is not temporary');
      }
      if (activity.type !== 'createLinkToken') return;
      if (nowMs() < (waitsUntilMs.get(attemptId) ?? 0)) {
        problems.add('an attempt waits for the response to its POST until its timeout');
      }
      const { process, isAlone, isStopping } = worker;
      if (requested.has(attemptId)) {
        noteHold(process, maximumIntervalMs / 2);
        return;
      }
      // Another attempt may be the one that probes, or requests an access token for both.
      const mayBeHeld = !isAlone || nowMs() <= (holdsUntilMs.get(process) ?? 0);
      if (!mayBeHeld && !isStopping && mayStillSend(activity, attempt)) {
        problems.add('an attempt sends its request, or is held back for the longest pause');
      }
    },
  };
}

/** Finds the attempt whose code runs now. */
export function findAttempt({ runs }: SimulatedTemporal) {
  const { workflowExecution, activityId, attempt } = Context.current().info;
  const run = runs.find(({ runId }) => runId === workflowExecution?.runId) as SimulatedRun;
  return { run, activity: run.scheduled.get(activityId) as SimulatedActivity, attempt };
}

const isTemporary = (status: number | null) =>
  status === null || status >= 500 || [408, 425, 429].includes(status);

/** Tells whether a response says if a key was made. */
function isCertain(status: number | null, body: string): boolean {
  if (status === null) return false;
  if (status >= 300) return status < 500 && status !== 408 && status !== 425;
  const { linkToken } = toObject(parse(body)) as { linkToken?: string };
  return linkToken !== undefined && linkToken.length < MAX_LINK_TOKEN_BYTES;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
