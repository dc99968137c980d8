import { Context } from '@temporalio/activity';
import { MAX_LINK_TOKEN_BYTES } from '../../../src/contract/limits';
import type { Backoff } from '../../../src/shared/activities';
import { toObject } from '../../../src/shared/object';
import type { SimulatedActivity } from './activity';
import { nowMs } from './clock';
import { GIVE_UP_AFTER_MS } from './config';
import { REQUEST_TIMEOUT_MS, type OnResponse, type SentRequest } from './network';
import { watchOutages } from './outages';
import type { Report } from './resolutions';
import type { SimulatedRun } from './run';
import type { SimulatedTemporal } from './temporal';

/*
 * What holds for the requests to Atlas. It judges by what was sent and what came back, and knows
 * nothing of how the worker decides.
 */

/** The longest time for which a worker holds requests back, even if Atlas requests more. */
export const MAX_HOLD_MS = 15 * 60_000;

export function watchRequests(temporal: SimulatedTemporal, backoff: Backoff) {
  /** Sentences that do not hold. */
  const problems = new Set<string>();
  const outages = watchOutages(backoff, problems);
  /** Creations whose last response leaves open whether a key was made: `<run id> <activity id>`. */
  const uncertain = new Set<string>();
  /** The runs that sent a POST. */
  const senders = new Set<SimulatedRun>();
  /** The attempts that sent a POST; true if Atlas refused its authentication. */
  const posted = new Map<string, boolean>();
  /** Until when each attempt waits for the response to its POST. */
  const waitsUntilMs = new Map<string, number>();
  /** The last response that each attempt got; its status is null if none arrived. */
  const responses = new Map<string, { status?: number | null; linkToken?: string }>();
  /** Until when Atlas and each sink want no request of a run. */
  const notBeforeMs = new Map<string, number>();
  /** The same, as the last response to an attempt requests; it holds once its report arrives. */
  const requestedMs = new Map<string, [string, number]>();

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

  const idOf = ({ run, id }: SimulatedActivity, attempt: number) => `${run.runId} ${id} ${attempt}`;

  return {
    problems,
    uncertain,
    responses,
    senders,

    /** Of any request of an attempt, once it is written. */
    onWritten({ host }: SentRequest): OnResponse {
      const { run, activity, attempt } = findAttempt(temporal);
      const waiting = host === 'atlas.test' ? run.runId : `${run.runId} ${host}`;
      // An attempt that somebody requests at once does not wait, and a reset forgets the wait.
      const isRedelivery = activity.options.retryPolicy?.maximumAttempts === 2;
      const isReset = activity.number !== attempt;
      const mayWait = activity.isUnderWay(attempt) && !isRedelivery && !isReset;
      if (mayWait && nowMs() < (notBeforeMs.get(waiting) ?? 0)) {
        problems.add('no run sends a request to Atlas or its sink before a Retry-After is over');
      }
      return (status, body, retryAfterMs) => {
        responses.set(idOf(activity, attempt), { ...toObject(parse(body)), status });
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
      const onOutcome = outages.onPost(process, activity.begunMs.get(attempt) ?? 0);
      return (status, body) => {
        onOutcome(status);
        posted.set(attemptId, status === 401);
        waitsUntilMs.delete(attemptId);
        if (isCertain(status, body)) uncertain.delete(id);
      };
    },

    onAccessTokenRequest({ process }: SentRequest): OnResponse {
      return (status) => outages.onAccessToken(process, status);
    },

    /** Called when the report of an attempt reaches Temporal. */
    onArrival(activity: SimulatedActivity, attempt: number): void {
      const wait = requestedMs.get(idOf(activity, attempt));
      if (wait && activity.isHeard(attempt)) notBeforeMs.set(...wait);
    },

    onReport(activity: SimulatedActivity, attempt: number, report: Report): void {
      if (!('failure' in report)) return;
      const { applicationFailureInfo } = report.failure;
      const attemptId = idOf(activity, attempt);
      const { status } = responses.get(attemptId) ?? {};
      const isRejected = /Rejected$/.test(applicationFailureInfo?.type ?? '');
      if (isRejected && status !== undefined && isTemporary(status)) {
        problems.add('an attempt is rejected for good only by a response that is not temporary');
      }
      if (nowMs() < (waitsUntilMs.get(attemptId) ?? 0)) {
        problems.add('an attempt waits for the response to its POST until its timeout');
      }
    },
  };
}

/** Finds the attempt whose code runs now. */
export function findAttempt({ runs }: SimulatedTemporal) {
  const { taskToken } = Context.current().info;
  const [of, id, attempt] = Buffer.from(taskToken).toString().split(' ');
  const run = runs.find(({ runId }) => runId === of) as SimulatedRun;
  return {
    run,
    activity: run.scheduled.get(String(id)) as SimulatedActivity,
    attempt: Number(attempt),
  };
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
