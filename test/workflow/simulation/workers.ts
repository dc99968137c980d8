import type { Context, Info } from '@temporalio/activity';
import { DefaultLogger } from '@temporalio/worker';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import type { Activities } from '../../../src/shared/activities';
import type { SimulatedActivity } from './activity';
import { sleep } from './clock';
import type { Report } from './resolutions';
import { createAttempt, type StartWorkflow } from './sdk';
import type { SimulatedTemporal, Workers } from './temporal';

/**
 * Core repeats the report of an attempt for ten seconds, then drops it: without the wait for
 * Temporal, test/system/faults/temporal-away.test.ts fails.
 */
const REPORT_TRIES = 10;
const LOGGER = new DefaultLogger('ERROR', () => undefined);

type Call = (...args: unknown[]) => Promise<unknown>;

/** Ends the calls of a worker that was killed. It can report nothing any more. */
export class KilledError extends Error {}

/** A worker, with the real activities. `killed` holds the attempts whose worker is gone. */
export function createWorkers(
  temporal: SimulatedTemporal,
  startWorkflow: StartWorkflow,
  activities: Activities,
): Workers & { kill(context: Context): never; shutDown(): void; dropped: SimulatedActivity[] } {
  const { client } = temporal;
  const killed = new Set<string>();
  const dropped: SimulatedActivity[] = [];
  const underWay = new Set<ReturnType<typeof createAttempt>>();

  const findWork = (type: string): Call => {
    const { [type]: work } = activities as unknown as Record<string, Call>;
    return work as Call;
  };

  async function report(
    activity: SimulatedActivity,
    attempt: number,
    result: Report,
  ): Promise<void> {
    for (let tries = 0; temporal.isAway; tries += 1) {
      if (tries === REPORT_TRIES) {
        dropped.push(activity);
        temporal.say(`drops the report of #${activity.id}`);
        return;
      }
      await sleep(1000);
    }
    activity.takeReport(attempt, result);
  }

  return {
    startWorkflow,
    dropped,

    async runLocal(run, type, args) {
      const workflowExecution = { workflowId: run.workflowId, runId: run.runId };
      const info = { workflowExecution, workflowType: run.type, isLocal: true };
      const attempt = createAttempt(info, findWork(type), {
        client,
        logger: LOGGER,
        onHeartbeat: () => undefined,
      });
      return attempt.run(args);
    },

    runAttempt(activity) {
      const { run, type, id, args, attempt } = activity;
      const token = `${run.runId} ${id} ${attempt}`;
      const info: Partial<Info> = {
        activityId: id,
        activityType: type,
        attempt,
        workflowType: run.type,
        workflowExecution: { workflowId: run.workflowId, runId: run.runId },
        taskToken: Buffer.from(token),
        scheduledTimestampMs: activity.scheduledAtMs,
        currentAttemptScheduledTimestampMs: activity.attemptScheduledAtMs,
        scheduleToCloseTimeoutMs: activity.scheduleToCloseMs,
        startToCloseTimeoutMs: activity.startToCloseMs,
        heartbeatTimeoutMs: activity.heartbeatTimeoutMs,
      };
      // A cancellation, and that it is over, reach an attempt with the response to a heartbeat
      // (test/system/runs/endings.test.ts: a cancel to an attempt that hangs).
      const onHeartbeat = () => {
        if (temporal.isAway || killed.has(token)) return;
        if (!activity.takeHeartbeat(attempt)) execution.cancel('NOT_FOUND');
        else if (activity.isCancelRequested) execution.cancel('CANCELLED');
      };
      const execution = createAttempt(info, findWork(type), {
        client,
        logger: LOGGER,
        onHeartbeat,
      });
      underWay.add(execution);
      void execution.run(args).then((result) => {
        underWay.delete(execution);
        if (!killed.has(token)) void report(activity, attempt, result);
      });
    },

    /** Kills the worker of an attempt. */
    kill({ info }) {
      killed.add(Buffer.from(info.taskToken).toString());
      throw new KilledError('the worker was killed');
    },

    /** Tells each attempt that its worker shuts down. */
    shutDown() {
      temporal.say('the workers shut down');
      for (const execution of underWay) execution.cancel('WORKER_SHUTDOWN');
    },
  };
}

export const isPrepare = ({ type }: { type: string }) => type === WORKFLOW_TYPES.prepare;
