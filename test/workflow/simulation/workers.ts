import type { Context, Info } from '@temporalio/activity';
import {
  ActivityCancellationDetails,
  CancelledFailure,
  defaultFailureConverter,
} from '@temporalio/common';
import { optionalTsToMs } from '@temporalio/common/lib/time';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import type { Activities } from '../../../src/shared/activities';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { sleep } from './clock';
import type { StartWorkflow } from './sdk';
import type { Activity, Report, SimulatedTemporal, Workers } from './temporal';

/** Core repeats the report of an attempt for ten seconds, then drops it (tried). */
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
): Workers & { kill(context: Context): never; shutDown(): void; dropped: Activity[] } {
  const { client } = temporal;
  const killed = new Set<string>();
  const dropped: Activity[] = [];
  const underWay = new Set<MockActivityEnvironment>();

  const call = async (env: MockActivityEnvironment, type: string, args: unknown[]) => {
    const { [type]: activity } = activities as unknown as Record<string, Call>;
    try {
      return { result: await env.run<unknown[], unknown, Call>(activity as Call, ...args) };
    } catch (error) {
      const isCancelled = env.context.cancellationDetails?.cancelRequested ?? false;
      if (error instanceof CancelledFailure && isCancelled) return { cancelled: true as const };
      return { failure: defaultFailureConverter.errorToFailure(error, payloadConverter) };
    }
  };

  async function report(activity: Activity, attempt: number, result: Report): Promise<void> {
    for (let tries = 0; temporal.isAway; tries += 1) {
      if (tries === REPORT_TRIES) {
        dropped.push(activity);
        temporal.say(`drops the report of #${activity.id}`);
        return;
      }
      await sleep(1000);
    }
    activity.run.takeReport(activity, attempt, result);
  }

  return {
    startWorkflow,
    dropped,

    async runLocal(run, type, args) {
      const workflowExecution = { workflowId: run.workflowId, runId: run.runId };
      const info = { workflowExecution, workflowType: run.type, isLocal: true };
      return call(new MockActivityEnvironment(info, { client, logger: LOGGER }), type, args);
    },

    runAttempt(activity) {
      const { run, type, id, args, options, attempt } = activity;
      const token = `${run.runId} ${id} ${attempt}`;
      const heartbeatTimeoutMs = optionalTsToMs(options.heartbeatTimeout);
      const info: Partial<Info> = {
        activityId: id,
        activityType: type,
        attempt,
        workflowType: run.type,
        workflowExecution: { workflowId: run.workflowId, runId: run.runId },
        taskToken: Buffer.from(token),
        scheduledTimestampMs: activity.scheduledAtMs,
        currentAttemptScheduledTimestampMs: activity.attemptScheduledAtMs,
        scheduleToCloseTimeoutMs: optionalTsToMs(options.scheduleToCloseTimeout) ?? 0,
        startToCloseTimeoutMs: optionalTsToMs(options.startToCloseTimeout) ?? 0,
        heartbeatTimeoutMs: heartbeatTimeoutMs as number,
      };
      const env = new MockActivityEnvironment(info, { client, logger: LOGGER });
      // A cancellation, and that it is over, reach an attempt with the response to a heartbeat.
      env.on('heartbeat', () => {
        if (temporal.isAway || killed.has(token)) return;
        const isUnderWay = run.takeHeartbeat(id, attempt);
        if (isUnderWay && !activity.isCancelRequested) return;
        const details = { cancelRequested: isUnderWay, notFound: !isUnderWay };
        env.cancel(
          isUnderWay ? 'CANCELLED' : 'NOT_FOUND',
          new ActivityCancellationDetails(details),
        );
      });
      underWay.add(env);
      void call(env, type, args).then((result) => {
        underWay.delete(env);
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
      const details = new ActivityCancellationDetails({ workerShutdown: true });
      for (const env of underWay) env.cancel('WORKER_SHUTDOWN', details);
    },
  };
}

export const isPrepare = ({ type }: { type: string }) => type === WORKFLOW_TYPES.prepare;
