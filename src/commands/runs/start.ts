import { workflowIdFor } from '../../contract/names';
import type { PrepareRequest } from '../../contract/schemas';
import { commandLine } from '../../shared/command-line';
import type { CommandContext } from '../cli/context';
import { describeFindings, describeRows } from '../cli/output';
import { checkRequestRemotely, describeMissingWorker } from './check-worker';
import { watch } from './follow';
import { requireStartable, startOrJoin } from './start-or-join';

/** Starts `prepareLiveMigration`, or joins the open run of an equal request. */
export async function start(
  context: CommandContext,
  request: PrepareRequest,
  { wait, again }: { wait: boolean; again: boolean },
): Promise<void> {
  const { client, output } = context;
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
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
  const problem = await describeMissingWorker(client, taskQueue);
  output.print({ workflowId, runId, joined, ...(problem[0] && { warning: problem[0] }) }, [
    ...problem,
    followIt,
  ]);
}

/** Lets a worker check the request, and says whether a start would start or join a run. */
export async function tryOut(
  context: CommandContext,
  request: PrepareRequest,
  again: boolean,
): Promise<void> {
  const { client, output } = context;
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  const report = await checkRequestRemotely(context, request, 'nothing was started');
  const { open } = await requireStartable(client, workflowId, request, again);
  const wouldJoin = open !== null;
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
