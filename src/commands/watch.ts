import { commandLine } from '../contract/command-line';
import { describeReceipt } from './cli/endings';
import type { CommandContext } from './cli/temporal';
import { follow } from './runs/follow';

/**
 * Prints a line whenever it sees that the step, the attempt or the last failure has changed. Ends when the run ends or
 * is undelivered.
 *
 * @param run the newest of its workflow id, unless it has a run id.
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
  // Like the lines before, it has the time when this was seen: the time of the delivery may be earlier than theirs.
  output.print({ workflowId, ...facts, receipt }, [`${at()} delivered`, ...describeReceipt(receipt)]);
}
