import pMap from 'p-map';
import type { Receipt } from '../../contract/schemas';
import type { Step } from '../../contract/states';
import { formatCount, cutAndEscape } from '../../shared/text';
import { findReasonOfNoAccess } from '../../temporal/grpc';
import { CommandError, EXIT_CODES, type ExitCode } from '../cli/command-error';
import type { Output } from '../cli/output';
import { describeSdkError } from './with-client';

const MAX_CONCURRENT_RUNS = 20;
/** Checks at once. Each makes a worker call Atlas and a sink. */
export const MAX_CONCURRENT_CHECKS = 5;

/** Keeps a log of standard error short. */
const PROGRESS_INTERVAL_MS = 10_000;

/** Bounds a reason, which may quote an access list. */
const MAX_REASON_LENGTH = 1000;

/**
 * What the command did, or the step to which it followed the run. `skipped` and `refused` did
 * nothing; after `refused`, somebody has to act.
 */
type Action = Step | 'started' | 'skipped' | 'refused' | 'would start';

/** The outcome of one run. `--json` adds the facts of its error: `type`, `state`, `details`. */
export interface RunOutcome {
  action: Action;
  reason: string;
  runId?: string;
  receipt?: Receipt;
}

/**
 * Works on runs, a few at once, and prints the outcome of each as it ends. An error is the outcome
 * of its own run only, unless Temporal cannot be reached: then nothing is known of the others.
 *
 * @param options.noun names one item, such as `request`.
 * @throws CommandError when a run failed, was cancelled, is undelivered, or was refused; the error
 *   of a call that did not reach Temporal.
 */
export async function runBulk<I extends { workflowId: string; line?: number }>(
  items: readonly I[],
  output: Output,
  { noun, concurrency = MAX_CONCURRENT_RUNS }: { noun: string; concurrency?: number | undefined },
  work: (item: I) => Promise<RunOutcome>,
): Promise<void> {
  const counts = new Map<Action, number>();
  let doneCount = 0;
  let nextProgressMs = 0;
  await pMap(
    items,
    async (item) => {
      const { line, workflowId } = item;
      const outcome = await work(item).catch(toFailed);
      const { action, reason } = outcome;
      doneCount += 1;
      counts.set(action, (counts.get(action) ?? 0) + 1);
      const progress = `${doneCount}/${items.length}`;
      // JSON drops a line that is undefined.
      output.print(
        { line, workflowId, ...outcome },
        { before: `${progress}  `, word: action, after: `  ${workflowId}: ${reason}` },
      );
      const nowMs = performance.now();
      if (nowMs < nextProgressMs && doneCount < items.length) return;
      output.progress(progress);
      nextProgressMs = nowMs + PROGRESS_INTERVAL_MS;
    },
    { concurrency, signal: output.signal },
  );
  const countsByAction = [...counts].map(([action, count]) => `${count} ${action}`).join(', ');
  const total = formatCount(items.length, noun);
  const summary = countsByAction ? `${total}: ${countsByAction}` : total;
  const facts = { total: items.length, counts: Object.fromEntries(counts) };
  const exitCode = worstExitCode(counts);
  if (exitCode !== EXIT_CODES.done) throw new CommandError(summary, exitCode, facts);
  output.print(facts, summary);
}

const ACTION_BY_EXIT_CODE: Partial<Record<ExitCode, Action>> = {
  [EXIT_CODES.undelivered]: 'undelivered',
  [EXIT_CODES.cancelled]: 'cancelled',
  [EXIT_CODES.refused]: 'refused',
};

export function toDelivered(receipt: Receipt): RunOutcome {
  const { location, unconfirmedTokens } = receipt;
  const unconfirmed =
    unconfirmedTokens > 0 ? `; ${formatCount(unconfirmedTokens, 'unconfirmed token')}` : '';
  return { action: 'delivered', reason: `${location}${unconfirmed}`, receipt };
}

export function toFailed(error: unknown): RunOutcome {
  if (!(error instanceof CommandError)) {
    if (findReasonOfNoAccess(error) !== null) throw error;
    return { action: 'failed', reason: describeSdkError(error) };
  }
  const { exitCode, facts, lines } = error;
  const action =
    facts.state === 'delivered' ? 'skipped' : (ACTION_BY_EXIT_CODE[exitCode] ?? 'failed');
  // The fields that differ, or are wrong, are on lines of their own.
  const reasons = action === 'refused' || action === 'failed' ? lines : lines.slice(0, 1);
  const reason = reasons.map((line) => line.trim()).join('; ');
  return { ...facts, action, reason: cutAndEscape(reason, MAX_REASON_LENGTH) };
}

function worstExitCode(counts: ReadonlyMap<Action, number>): ExitCode {
  if (counts.has('failed') || counts.has('cancelled')) return EXIT_CODES.failed;
  if (counts.has('undelivered')) return EXIT_CODES.undelivered;
  return counts.has('refused') ? EXIT_CODES.refused : EXIT_CODES.done;
}
