import pMap from 'p-map';
import type { Receipt } from '../../contract/schemas';
import { CommandError, EXIT_CODES, type ExitCode } from '../cli/command-error';
import type { Output } from '../cli/output';
import { describeError } from '../cli/temporal';

/** Runs worked on at once. */
const CONCURRENCY = 20;

/** `skipped`: nothing was done, for the reason given. `refused`: the same, and somebody has to look after it. */
type Action =
  | 'started'
  | 'delivered'
  | 'undelivered'
  | 'failed'
  | 'cancelled'
  | 'skipped'
  | 'refused'
  | 'would start'
  | 'would restart'
  | 'not restarted';

/** What became of one run. */
export interface RunOutcome {
  action: Action;
  reason: string;
  /** Why it was refused, as one word. */
  refused?: string | undefined;
  /** Of the failure. */
  type?: string | undefined;
  receipt?: Receipt;
  runId?: string;
}

type NamedOutcome = RunOutcome & { workflowId: string };

/** @param total of runs, for the progress in each line. */
export function createBulkRunner(total: number, output: Output) {
  const outcomes: NamedOutcome[] = [];
  return {
    /**
     * Works on runs, a few at once, reports each and records it. An error becomes an outcome, and the rest go on.
     */
    run: <Item extends { workflowId: string }>(
      items: Iterable<Item> | AsyncIterable<Item>,
      work: (item: Item) => Promise<RunOutcome>,
      record?: (item: Item, outcome: RunOutcome) => void,
    ): Promise<NamedOutcome[]> =>
      pMap(
        items,
        async (item) => {
          const { workflowId } = item;
          const { reason, ...rest } = await work(item).catch(failedOutcome);
          const outcome = { ...rest, reason: output.complete(reason) };
          if (!output.signal.aborted) record?.(item, outcome);
          const named = { workflowId, ...outcome };
          outcomes.push(named);
          output.say(`${outcomes.length}/${total}  ${outcome.action}  ${workflowId}: ${outcome.reason}`);
          return named;
        },
        { concurrency: CONCURRENCY, signal: output.signal },
      ),
    /**
     * Ends the command with every outcome.
     *
     * @throws CommandError when a run failed, was cancelled, is undelivered, or was refused.
     */
    finish(what: string): void {
      const counts = countByAction(outcomes);
      const summary = `${total} ${what}${counts ? `: ${counts}` : ''}`;
      const exitCode = exitCodeOf(outcomes);
      if (exitCode !== EXIT_CODES.done) throw new CommandError(summary, exitCode, { outcomes });
      output.print({ outcomes }, summary);
    },
  };
}

const ACTION_OF: Partial<Record<ExitCode, Action>> = {
  [EXIT_CODES.undelivered]: 'undelivered',
  [EXIT_CODES.refused]: 'skipped',
  [EXIT_CODES.cancelled]: 'cancelled',
};

/** What a wait for a delivery led to. */
export async function outcomeOf(delivery: Promise<Receipt>): Promise<RunOutcome> {
  try {
    const receipt = await delivery;
    const { location, unconfirmedTokens } = receipt;
    const reason = unconfirmedTokens > 0 ? `${location}; ${unconfirmedTokens} unconfirmed` : location;
    return { action: 'delivered', reason, receipt };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const { refused, type } = error.facts as { refused?: string; type?: string };
    return { refused, type, action: ACTION_OF[error.exitCode] ?? 'failed', reason: error.lines[0] ?? '' };
  }
}

function failedOutcome(error: unknown): RunOutcome {
  return { action: 'failed', reason: describeError(error) };
}

/** Such as `3 delivered, 1 undelivered`. */
function countByAction(outcomes: readonly RunOutcome[]): string {
  const counts = new Map<Action, number>();
  for (const { action } of outcomes) counts.set(action, (counts.get(action) ?? 0) + 1);
  return [...counts].map(([action, count]) => `${count} ${action}`).join(', ');
}

function exitCodeOf(outcomes: readonly RunOutcome[]): ExitCode {
  const actions = new Set(outcomes.map(({ action }) => action));
  if (actions.has('failed') || actions.has('cancelled')) return EXIT_CODES.failed;
  if (actions.has('undelivered')) return EXIT_CODES.undelivered;
  return actions.has('refused') ? EXIT_CODES.refused : EXIT_CODES.done;
}
