import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import type { Info } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import {
  ActivityCancellationDetails,
  defaultFailureConverter,
  noopMetricMeter,
  type Payload,
} from '@temporalio/common';
import { msNumberToTs } from '@temporalio/common/lib/time';
import { defaultActivityInfo } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Activity } from '@temporalio/worker/lib/activity';
import type { Workflow, WorkflowCreateOptions } from '@temporalio/worker/lib/workflow/interface';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { workflowBundle } from '../../support/replay';
import type { Report } from './resolutions';

/*
 * The part of the SDK's internals that the simulation uses (SDK 1.24.0): what a worker does with an
 * activation and with a task of an activity from Core. If an upgrade moves it, follow `ReusableVMWorkflowCreator` in the SDK's
 * packages/worker/src. If it is gone, leave the simulation out until somebody has time:
 * `npm test` has tests on real servers too.
 */

type Activation = Parameters<Workflow['activate']>[0];
type Completion = Awaited<ReturnType<Workflow['activate']>>;
export type Job = NonNullable<Activation['jobs']>[number];
export type Command = NonNullable<NonNullable<Completion['successful']>['commands']>[number];

export type StartWorkflow = ReturnType<typeof loadWorkflows>;

/** Loads the shipped bundle; returns what starts one of its workflows. */
export function loadWorkflows(activities: readonly string[]) {
  const { codePath } = workflowBundle;
  const code = readFileSync(codePath, 'utf8');
  const bundle = { code, filename: codePath, sourceMap: null as never };
  const script = new vm.Script(code, { filename: codePath });
  // Its `create` also records a stack trace for each promise, and a limit of time starts a thread for
  // each call: both would take most of the time.
  const noLimit = undefined as never;
  const creator = new ReusableVMWorkflowCreator(
    script,
    bundle,
    noLimit,
    new Set(activities),
    undefined,
  );

  return async function startWorkflow(start: {
    workflowId: string;
    runId: string;
    type: string;
    args: Payload[];
    lastResult: unknown;
  }) {
    const { workflowId, runId, type: workflowType, lastResult } = start;
    const startTime = new Date(Date.now());
    const info = {
      workflowId,
      runId,
      workflowType,
      firstExecutionRunId: runId,
      startTime,
      runStartTime: startTime,
      namespace: 'default',
      taskQueue: 'prep',
      attempt: 1,
      taskTimeoutMs: 10_000,
      historyLength: 0,
      historySize: 0,
      memo: {},
      lastResult,
      searchAttributes: {},
      unsafe: { isReplaying: false, isReplayingHistoryEvents: false, now: () => Date.now() },
    };
    const options = { info, now: Date.now(), randomnessSeed: [1], showStackTraceSources: false };
    const workflow = await creator.createWorkflow(options as unknown as WorkflowCreateOptions);
    const initializeWorkflow = {
      workflowType,
      workflowId,
      arguments: start.args,
      attempt: 1,
      firstExecutionRunId: runId,
      startTime: msNumberToTs(Date.now()),
    };
    let first: Job[] = [{ initializeWorkflow }];

    return {
      /** @throws what would fail the workflow task, and repeat it for ever. */
      async activate(given: readonly Job[], historyLength: number): Promise<Command[]> {
        const timestamp = msNumberToTs(Date.now());
        const jobs = [...first, ...given].toSorted((a, b) => rankOf(a) - rankOf(b));
        const activation = { runId, timestamp, historyLength, jobs };
        first = [];
        const { successful, failed } = await workflow.activate(activation);
        if (failed) throw new Error(`the workflow task failed: ${failed.failure?.message}`);
        return successful?.commands ?? [];
      },
      /** Asks what people see of an open run: the answer to each Query. */
      async look(): Promise<readonly Command[]> {
        const jobs = ['status', '__temporal_workflow_metadata'].map((queryType) => ({
          variant: 'queryWorkflow' as const,
          queryWorkflow: { queryId: queryType, queryType, arguments: [] },
        }));
        const timestamp = msNumberToTs(Date.now());
        const { successful } = await workflow.activate({ runId, timestamp, jobs });
        return successful?.commands ?? [];
      },
      dispose: () => workflow.dispose(),
    };
  };
}

/** Core's order (IWorkflowActivation in @temporalio/proto); jobs of one rank stay in theirs. */
function rankOf({ initializeWorkflow, doUpdate }: Job): number {
  if (initializeWorkflow) return 0;
  return doUpdate ? 1 : 2;
}

export type RunningWorkflow = Awaited<ReturnType<StartWorkflow>>;

/** @see ActivityCancelReason in Core's API */
type CancelReason = 'CANCELLED' | 'NOT_FOUND' | 'RESET' | 'WORKER_SHUTDOWN';

const dataConverter = {
  payloadConverter,
  failureConverter: defaultFailureConverter,
  payloadCodecs: [],
};
const NO_LOGGER = new DefaultLogger('INFO', () => undefined);
const WORKER_SHUTDOWN: Report = {
  failure: {
    message: 'Worker is shutting down and this activity did not complete in time',
    applicationFailureInfo: { type: 'WorkerShutdown' },
  },
};

/** Runs an attempt of an activity as the SDK does, and reports it as Core does. */
export function createAttempt(
  info: Partial<Info>,
  work: (...args: unknown[]) => Promise<unknown>,
  { client, onHeartbeat }: { client: Client; onHeartbeat: () => void },
) {
  const attemptInfo = { ...defaultActivityInfo, ...info };
  const { activityId } = attemptInfo;
  const serialization = {
    type: 'activity',
    namespace: 'default',
    activityId,
    isLocal: false,
  } as const;
  const activity = new Activity(
    attemptInfo,
    work,
    dataConverter,
    serialization,
    undefined,
    onHeartbeat,
    client,
    NO_LOGGER,
    noopMetricMeter,
    [],
  );
  let cancelReason: CancelReason | null = null;

  return {
    /** Core passes on the first one only (sdk-core, worker/activities.rs, "double-issue"). */
    cancel(reason: CancelReason): void {
      if (cancelReason) return;
      cancelReason = reason;
      const details = {
        cancelRequested: reason === 'CANCELLED',
        notFound: reason === 'NOT_FOUND',
        reset: reason === 'RESET',
        workerShutdown: reason === 'WORKER_SHUTDOWN',
      };
      activity.cancel(reason, new ActivityCancellationDetails(details));
    },

    async run(args: unknown[]): Promise<Report> {
      const { completed, failed } = await activity.run({ args, headers: {} });
      if (completed) return { result: payloadConverter.fromPayload(completed.result as Payload) };
      if (failed?.failure) return { failure: failed.failure };
      // Core reports an attempt that ended because its worker stops as failed (the same file,
      // `worker_shutdown_failure`).
      return cancelReason === 'WORKER_SHUTDOWN' ? WORKER_SHUTDOWN : { cancelled: true };
    },
  };
}
