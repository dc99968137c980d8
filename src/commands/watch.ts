import { commandLine } from '../shared/command-line';
import { describeReceipt } from './cli/endings';
import type { CommandContext } from './cli/temporal';
import { follow } from './runs/follow';

/**
 * Prints a line whenever the step, the attempt or the last failure has changed, until the run ends or is undelivered.
 *
 * @param run without a run id, the newest of its workflow id.
 * @param facts printed beside the receipt.
 */
export async function watch(
  { client, output }: CommandContext,
  run: { workflowId: string; runId?: string },
  facts: object = {},
): Promise<void> {
  const { workflowId } = run;
  const at = () => new Date().toISOString();
  const receipt = await follow(client, run, (progress) => {
    output.setFollowUp(`the run goes on; follow it: ${commandLine('watch', workflowId)}`);
    output.print({ at: at(), workflowId, progress }, `${at()} ${progress}`);
  });
  // The lines before have the time at which they were seen; the time of the delivery may be earlier than theirs.
  output.print({ workflowId, ...facts, receipt }, [`${at()} delivered`, ...describeReceipt(receipt)]);
}
