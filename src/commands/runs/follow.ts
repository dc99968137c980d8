import type { Client } from '@temporalio/client';
import type { Receipt } from '../../contract/schemas';
import { commandLine } from '../../shared/command-line';
import { isCancelRequested, type RunTarget } from '../../temporal/describe-run';
import type { CommandContext } from '../cli/context';
import { describeReceipt } from './describe-ending';
import { followRuns, type Ending } from './follow-runs';
import type { OpenLook, Progress } from './look-at';
import { requirePrepareRun } from './refusals';
import { CANCEL_REQUESTED, findQueueProblem } from './why-stuck';

/**
 * Follows a run, and prints each change and the receipt.
 *
 * @param facts printed beside the receipt.
 * @throws as `follow`.
 */
export async function watch(context: CommandContext, run: RunTarget, facts = {}) {
  const { client, output } = context;
  const { workflowId } = run;
  const at = () => new Date().toISOString();
  const receipt = await follow(client, run, (progress) => {
    output.setFollowUp(`the run goes on; follow it: ${commandLine('watch', workflowId)}`);
    output.print({ at: at(), workflowId, progress }, `${at()} ${progress}`);
  });
  // Like the lines before, this one has the time at which this command saw it. The receipt has the
  // time of the delivery.
  output.print({ workflowId, ...facts, receipt }, [
    `${at()} delivered`,
    ...describeReceipt(receipt),
  ]);
}

/**
 * Follows a run until it ends or its token is undelivered.
 *
 * @param report gets a line whenever something changes, also in the task queue.
 * @throws as `lookAt`.
 */
export async function follow(
  client: Client,
  target: RunTarget,
  report?: (progress: string) => void,
): Promise<Receipt> {
  const { workflowId } = target;
  const runId = target.runId ?? (await requirePrepareRun(client, target)).runId;
  const endings: Ending[] = [];
  let progress = '';
  let lastLine = '';

  async function reportChange({ run, isStuck, progress: seen }: OpenLook): Promise<void> {
    if (!report) return;
    if (seen) progress = describeProgress(seen);
    const queueProblem = await findQueueProblem(client, run, isStuck);
    const cancellation = isCancelRequested(run) && CANCEL_REQUESTED;
    const line = [progress, cancellation, queueProblem].filter(Boolean).join('; ');
    if (line !== lastLine) report(line);
    lastLine = line;
  }

  await followRuns(client, [{ workflowId, runId }], {
    onLook: (_run, look) => reportChange(look),
    onEnd: (_run, ending) => void endings.push(ending),
  });
  const [ending] = endings as [Ending];
  if ('error' in ending) throw ending.error;
  return ending.receipt;
}

function describeProgress({ step, reason, attempt, next }: Progress): string {
  if (attempt !== null) {
    const failure = reason && `last failure: ${reason}`;
    return [`${step}, attempt ${attempt}`, failure, next].filter(Boolean).join('; ');
  }
  if (step === 'waiting') return reason ?? 'waiting for a worker';
  return [`${step}: ${reason ?? ''}`, next].filter(Boolean).join('; ');
}
