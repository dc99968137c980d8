import { workflowIdFor } from '../contract/names';
import type { PrepareRequest } from '../contract/schemas';
import { commandLine } from '../shared/command-line';
import { isOpen } from '../temporal/visibility';
import type { StartOptions } from './cli/options';
import { describeRows } from './cli/output';
import type { CommandContext } from './cli/temporal';
import { checkRequestRemotely, describeFindings } from './runs/check-worker';
import { findMissingWorker } from './runs/missing-worker';
import { requireStartable, startOrJoin } from './runs/start-or-join';
import { watch } from './watch';

/** Starts `prepareLiveMigration`, or joins the open run of an equal request. */
export async function start(
  context: CommandContext,
  request: PrepareRequest,
  { wait, again, dryRun }: StartOptions,
): Promise<void> {
  const { client, output } = context;
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  if (dryRun) return tryOut(context, workflowId, request, again);
  const followIt = `follow it: ${commandLine('watch', workflowId)}`;
  const { joined, runId, taskQueue } = await startOrJoin(
    client,
    workflowId,
    request,
    { taskQueue: context.taskQueue, again },
    () => output.setFollowUp(`a run may have been started; ${followIt}`),
  );
  output.setFollowUp(`the run goes on; ${followIt}`);
  output.say(`${joined ? 'joined the open run' : 'started'} ${workflowId}`);
  if (wait) return watch(context, { workflowId, runId }, { runId, joined });
  const problem = await findMissingWorker(client, taskQueue);
  output.print({ workflowId, runId, joined, ...(problem && { warning: problem }) }, [
    ...(problem ? [problem] : []),
    followIt,
  ]);
}

async function tryOut(
  context: CommandContext,
  workflowId: string,
  request: PrepareRequest,
  again: boolean,
): Promise<void> {
  const { client, output } = context;
  const report = await checkRequestRemotely(context, request, 'nothing was started');
  const newest = await requireStartable(client, workflowId, request, again);
  const wouldJoin = newest !== null && isOpen(newest);
  const { credential, accessListIps = [], warnings = [] } = report.request ?? {};
  output.print({ workflowId, wouldJoin, ...report }, [
    `nothing was started; start would ${wouldJoin ? 'join the open run' : 'start'} ${workflowId}`,
    ...describeRows([
      ['credential', credential ?? '-'],
      ['access list', accessListIps.join(', ') || 'empty'],
      ['sink', request.sink],
      ...warnings.map((warning): [string, string] => ['warning', warning]),
    ]),
    ...describeFindings(report.findings),
  ]);
}
