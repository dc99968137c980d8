import {
  WorkflowExecutionAlreadyStartedError,
  type Client,
  type WorkflowIdReusePolicy,
} from '@temporalio/client';
import { commandLine } from '../contract/command-line';
import { differingFields } from '../contract/compare-requests';
import { workflowIdFor } from '../contract/names';
import type { PrepareRequest } from '../contract/schemas';
import { checkRequestRemotely, describeFindings } from './runs/check-worker';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { StartOptions } from './cli/options';
import { describeRows, type Output } from './cli/output';
import { readRequest } from './runs/run-events';
import { refuseForeign, refuseIfDelivered, refuseIfTokenLeft } from './runs/refusals';
import { isOpen, isOurs, runsOf, type Run } from './runs/find-runs';
import { whyStillNoWorker } from './runs/pollers';
import { startRun } from './runs/start-run';
import { watch } from './watch';

/** Runs that start and end while this command looks: after so many looks it gives up. */
const MAX_LOOKS = 5;

/** Starts `prepareLiveMigration`, or joins the open run of an equal request. */
export async function start(
  client: Client,
  request: PrepareRequest,
  options: StartOptions,
  output: Output,
): Promise<void> {
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  if (options.dryRun) return dryRun(client, workflowId, request, options, output);
  const { joined, runId } = await startOrJoin(client, workflowId, request, options);
  const what = `${joined ? 'joined the open run' : 'started'} ${workflowId}`;
  if (options.wait) {
    output.say(what);
    return watch(client, { workflowId, runId }, output, { runId, joined });
  }
  const problem = await whyStillNoWorker(client, options.taskQueue);
  output.print({ workflowId, runId, joined, ...(problem && { warning: problem }) }, [
    what,
    ...(problem ? [problem] : []),
    `follow it: ${commandLine('watch', workflowId)}`,
  ]);
}

/**
 * Looks at the runs of the id, and starts under a policy by which the server refuses when a run was opened or delivered
 * since: then it looks again. A run that was started and failed since is not noticed: `list` shows a token
 * that it left.
 */
export async function startOrJoin(
  client: Client,
  workflowId: string,
  request: PrepareRequest,
  { taskQueue, again }: Pick<StartOptions, 'taskQueue' | 'again'>,
): Promise<{ joined: boolean; runId: string }> {
  for (let looks = 1; ; looks += 1) {
    const { runs, open } = await lookAtRuns(client, workflowId, request, again);
    if (open) return { joined: true, runId: open.runId };
    const workflowIdReusePolicy = reusePolicyFor(runs, again);
    try {
      const { runId } = await startRun(client, {
        workflowId,
        taskQueue,
        args: [request],
        workflowIdReusePolicy,
      });
      return { joined: false, runId };
    } catch (error) {
      // A run started meanwhile.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || looks === MAX_LOOKS) throw error;
    }
  }
}

/** @throws CommandError when these runs do not allow a start. */
export async function lookAtRuns(
  client: Client,
  workflowId: string,
  request: PrepareRequest,
  again: boolean,
): Promise<{ runs: Run[]; open: Run | undefined }> {
  const runs = await runsOf(client, workflowId);
  const open = runs.find(isOpen);
  if (open) {
    refuseForeign(open);
    await refuseIfDifferent(client, open, request);
  } else if (!again) {
    await refuseIfDelivered(client, runs);
    await refuseIfTokenLeft(client, runs);
  }
  return { runs, open };
}

async function dryRun(
  client: Client,
  workflowId: string,
  request: PrepareRequest,
  { taskQueue, again }: StartOptions,
  output: Output,
): Promise<void> {
  const report = await checkRequestRemotely(client, taskQueue, request, 'nothing was started');
  const { open } = await lookAtRuns(client, workflowId, request, again);
  const { credential, accessListIps = [], warnings = [] } = report.request ?? {};
  output.print({ workflowId, wouldJoin: open !== undefined, ...report }, [
    `nothing was started; start would ${open ? 'join the open run' : 'start'} ${workflowId}`,
    ...describeRows([
      ['credential', credential ?? '-'],
      ['access list', accessListIps.join(', ') || 'empty'],
      ['sink', request.sink],
      ...warnings.map((warning): [string, string] => ['warning', warning]),
    ]),
    ...describeFindings(report.findings),
  ]);
}

function reusePolicyFor([newest]: readonly Run[], again: boolean): WorkflowIdReusePolicy {
  if (again) return 'ALLOW_DUPLICATE';
  if (!newest) return 'REJECT_DUPLICATE';
  // A foreign run that completed delivered nothing.
  return isOurs(newest) ? 'ALLOW_DUPLICATE_FAILED_ONLY' : 'ALLOW_DUPLICATE';
}

async function refuseIfDifferent(client: Client, open: Run, request: PrepareRequest): Promise<void> {
  const { workflowId } = open;
  const running = await readRequest(client, open);
  const fields = differingFields(running, request);
  if (fields.length === 0) return;
  const valueIn = (of: unknown, field: string) =>
    JSON.stringify((of as Record<string, unknown> | null | undefined)?.[field]);
  throw new CommandError(
    [
      `OtherRequest: ${workflowId} is open with a different request`,
      ...fields.map(
        (field) => `  ${field}: open ${valueIn(running, field)}, yours ${valueIn(request, field)}`,
      ),
      'wait for it to end, or cancel it',
    ],
    EXIT_CODES.refused,
    { workflowId, type: 'OtherRequest', fields },
  );
}
