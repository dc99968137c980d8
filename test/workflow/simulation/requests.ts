import { Context } from '@temporalio/activity';
import { MAX_LINK_TOKEN_BYTES } from '../../../src/contract/limits';
import type { SimulatedActivity } from './activity';
import { REQUEST_TIMEOUT_MS, type OnResponse, type Reply, type SentRequest } from './network';
import type { Report } from './resolutions';
import type { SimulatedRun } from './run';
import type { SimulatedTemporal } from './temporal';

/*
 * What holds for the requests to Atlas. It judges by what was sent and what came back, and knows
 * nothing of how the worker decides.
 */

export function watchRequests(temporal: SimulatedTemporal) {
  /** Sentences that do not hold. */
  const problems = new Set<string>();
  /** Creations whose last response leaves open whether a key was made: `<run id> <activity id>`. */
  const uncertain = new Set<string>();
  /** The runs that sent a POST. */
  const senders = new Set<SimulatedRun>();
  /** The attempts that sent a POST. */
  const posted = new Set<string>();
  /** Until when each attempt waits for the response to its POST. */
  const waitsUntilMs = new Map<string, number>();
  /** The last response that each attempt got; null if none arrived. */
  const responses = new Map<string, Reply | null>();

  const idOf = ({ run, id }: SimulatedActivity, attempt: number) => `${run.runId} ${id} ${attempt}`;

  return {
    problems,
    uncertain,
    responses,
    senders,

    /** Of any request of an attempt, once it is written. */
    onWritten(): OnResponse {
      const { activity, attempt } = findAttempt(temporal);
      return (reply) => responses.set(idOf(activity, attempt), reply);
    },

    onPost({ sentMs }: SentRequest): OnResponse {
      const { run, activity, attempt } = findAttempt(temporal);
      const id = `${run.runId} ${activity.id}`;
      const attemptId = idOf(activity, attempt);
      senders.add(run);
      if (posted.has(attemptId)) problems.add('an attempt sends one POST');
      posted.add(attemptId);
      waitsUntilMs.set(attemptId, sentMs + REQUEST_TIMEOUT_MS);
      uncertain.add(id);
      return (reply) => {
        waitsUntilMs.delete(attemptId);
        if (isCertain(reply)) uncertain.delete(id);
      };
    },

    onReport(activity: SimulatedActivity, attempt: number, report: Report): void {
      if (!('failure' in report)) return;
      if (Date.now() < (waitsUntilMs.get(idOf(activity, attempt)) ?? 0)) {
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

/** Tells whether a response says if a key was made. */
function isCertain(reply: Reply | null): boolean {
  if (reply === null) return false;
  const { status, json } = reply;
  if (status >= 300) return status < 500 && status !== 408 && status !== 425;
  const { linkToken } = json as { linkToken?: string };
  return linkToken !== undefined && linkToken.length < MAX_LINK_TOKEN_BYTES;
}
