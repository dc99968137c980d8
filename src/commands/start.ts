import type { Client } from '@temporalio/client';
import { commandLine } from '../contract/command-line';
import { workflowIdFor } from '../contract/names';
import type { PrepareRequest } from '../contract/schemas';
import { checkRequestRemotely, describeFindings } from './runs/check-worker';
import type { StartOptions } from './cli/options';
import { describeRows, type Output } from './cli/output';
import { whyStillNoWorker } from './runs/missing-worker';
import { lookAtRuns, startOrJoin } from './runs/start-or-join';
import { watch } from './watch';

/** Starts `prepareLiveMigration`, or joins the open run of an equal request. */
export async function start(
  client: Client,
  request: PrepareRequest,
  options: StartOptions,
  output: Output,
): Promise<void> {
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  if (options.dryRun) return dryRun(client, workflowId, request, options, output);
  const followIt = `follow it: ${commandLine('watch', workflowId)}`;
  output.setFollowUp(`a run may have been started; ${followIt}`);
  const { joined, runId } = await startOrJoin(client, workflowId, request, options);
  output.setFollowUp(`the run goes on; ${followIt}`);
  output.say(`${joined ? 'joined the open run' : 'started'} ${workflowId}`);
  if (options.wait) return watch(client, { workflowId, runId }, output, { runId, joined });
  const problem = await whyStillNoWorker(client, options.taskQueue);
  output.print({ workflowId, runId, joined, ...(problem && { warning: problem }) }, [
    ...(problem ? [problem] : []),
    followIt,
  ]);
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
