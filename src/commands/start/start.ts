import { commandLine } from '../../shared/command-line';
import type { CommandContext } from '../cli/context';
import { describeFindings, describeRows, type TableRow } from '../cli/output';
import { watch } from '../shared/follow';
import { checkRequestRemotely, describeMissingWorker } from '../shared/remote-check';
import type { PairRequest } from '../shared/request';
import { requireStartable, startOrJoin } from '../shared/start-or-join';

export async function start(context: CommandContext, pair: PairRequest, wait: boolean): Promise<void> {
  const { client, output } = context;
  const { workflowId } = pair;
  const followIt = `follow it: ${commandLine('watch', workflowId)}`;
  const beforeStart = () => output.setFollowUp(`a run may have been started; ${followIt}`);
  const { joined, runId, taskQueue } = await startOrJoin(context, pair, beforeStart);
  output.setFollowUp(`the run goes on; ${followIt}`);
  output.say(`${joined ? 'joined the open run' : 'started'} ${workflowId}`);
  if (wait) return watch(context, { workflowId, runId }, { runId, joined });
  const warning = await describeMissingWorker(client, taskQueue);
  const lines = warning === null ? followIt : [warning, followIt];
  output.print({ workflowId, runId, joined, ...(warning && { warning }) }, lines);
}

/** Lets a worker check the request, and says whether a start would start or join a run. */
export async function dryRunStart(context: CommandContext, pair: PairRequest): Promise<void> {
  const { workflowId, request } = pair;
  const report = await checkRequestRemotely(context, request, 'nothing was started');
  const { open } = await requireStartable(context.client, pair);
  const { credential, accessListIps = [], warnings = [] } = report.request ?? {};
  context.output.print({ workflowId, wouldJoin: open !== null, ...report }, [
    `nothing was started; start would ${open ? 'join the open run' : 'start'} ${workflowId}`,
    ...describeRows([
      ['credential', credential ?? '-'],
      ['access list', accessListIps.join(', ') || 'empty'],
      ['sink', request.sink],
      ...warnings.map((warning): TableRow => ['warning', warning]),
    ]),
    ...describeFindings(report.findings),
  ]);
}
