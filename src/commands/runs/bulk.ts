import pMap from 'p-map';
import type { CheckReport, Receipt } from '../../contract/schemas';
import type { Step } from '../../contract/states';
import { shortName } from '../../contract/workflow-id';
import { formatCount, cutAndEscape } from '../../shared/text';
import { findReasonOfNoAccess } from '../../temporal/grpc';
import { CommandError, EXIT_CODES, type ExitCode } from '../cli/command-error';
import type { Output } from '../cli/output';
import { describeReceipt } from './describe-ending';
import { describeSdkError } from './with-client';

const MAX_CONCURRENT_RUNS = 20;

/** How often the progress is looked at. */
const PROGRESS_TICK_MS = 1000;

const ACTION_WIDTH = 13;

/** Bounds a reason, which may quote an access list. */
const MAX_REASON_LENGTH = 1000;

/**
 * What the command did, or the step to which it followed the run. `skipped` and `refused` did
 * nothing; after `refused`, somebody has to act.
 */
type Action = Step | 'started' | 'cancelling' | 'revoked' | 'skipped' | 'refused' | 'would start';

/**
 * The outcome of one run, as every command prints it. `--json` adds the facts of its error: `type`,
 * `state`, `details`.
 */
export interface RunOutcome extends Partial<CheckReport> {
  action: Action;
  reason: string;
  runId?: string;
  receipt?: Receipt | null | undefined;
  /** What a command for one run prints below. */
  lines?: readonly string[];
}

/** A run or a request, with its line in the file. */
export interface BulkItem {
  workflowId: string;
  runId?: string | undefined;
  line?: number;
}

export type Bulk = ReturnType<typeof createBulk>;

/**
 * Creates what prints the outcomes of a command as they come, and how far it is. For many runs, it
 * prints each in one line, also one that failed, and a summary. A command for one run ends with its
 * error.
 *
 * @param noun of many items, such as `request`; null for one run.
 */
export function createBulk(output: Output, total = 1, noun: string | null = null) {
  const counts = new Map<Action, number>();
  /** How many runs have an action for a reason, by both. */
  const reasons = new Map<string, number>();

  function print({ line, workflowId }: BulkItem, outcome: RunOutcome): void {
    const { lines = [], ...facts } = outcome;
    const { action, reason } = facts;
    countUp(counts, action);
    const isFirst = countUp(reasons, `${action}: ${reason}`) === 1;
    const name = shortName(workflowId);
    const text = `${action.padEnd(ACTION_WIDTH)}${name}${isFirst ? `  ${reason}` : ''}`;
    // JSON drops a line that is undefined.
    output.print({ line, workflowId, ...facts }, noun === null ? [text, ...lines] : text);
  }

  /**
   * @throws the error, if it is that of a command for one run, or of a call that did not reach
   *   Temporal: then nothing is known of the other runs.
   */
  function ofError({ runId }: BulkItem, error: unknown): RunOutcome {
    if (noun === null) throw error;
    return { ...(runId && { runId }), ...toOutcome(error) };
  }

  return {
    print,
    printError: (item: BulkItem, error: unknown) => print(item, ofError(item, error)),

    /**
     * Works on items, a few at once.
     *
     * @param work returns null for an item that has no outcome yet.
     * @throws as `printError`.
     */
    async forEach<I extends BulkItem>(
      items: readonly I[],
      work: (item: I) => Promise<RunOutcome | null>,
    ): Promise<void> {
      await pMap(
        items,
        async (item) => {
          const outcome = await work(item).catch((error: unknown) => ofError(item, error));
          if (outcome) print(item, outcome);
        },
        { concurrency: MAX_CONCURRENT_RUNS, signal: output.signal },
      );
    },

    /**
     * Shows the counts of the outcomes while the work is under way.
     *
     * @param describeRest describes the items without an outcome.
     */
    showProgress(describeRest: (count: number) => string, work: () => Promise<void>) {
      return showWhile(output, work, () => {
        const done = [...counts.values()].reduce((sum, count) => sum + count, 0);
        const rest = total > done && describeRest(total - done);
        return [describeCounts(counts), rest].filter(Boolean).join(', ');
      });
    },

    /**
     * Prints the summary of many, with each reason that several have.
     *
     * @throws CommandError with the summary when a run failed, was cancelled, is undelivered, or
     *   was refused.
     */
    printSummary(): void {
      if (noun === null) return;
      const summary = [formatCount(total, noun), describeCounts(counts)].filter(Boolean);
      const lines = [summary.join(': '), ...describeShared(reasons)];
      const facts = { total, counts: Object.fromEntries(counts) };
      const code = worstExitCode(counts);
      if (code !== EXIT_CODES.done) throw new CommandError(lines, code, facts);
      output.print(facts, lines);
    },
  };
}

async function showWhile(output: Output, work: () => Promise<void>, describe: () => string) {
  const timer = setInterval(() => output.progress(describe()), PROGRESS_TICK_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
    output.progress('');
  }
}

function describeShared(reasons: ReadonlyMap<string, number>): string[] {
  const shared = [...reasons].filter(([, runs]) => runs > 1);
  return shared.sort(([, a], [, b]) => b - a).map(([reason, runs]) => `  ${runs} ${reason}`);
}

export function describeCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([word, count]) => `${count} ${word}`).join(', ');
}

/** Adds one to a count. Returns it. */
export function countUp<K>(counts: Map<K, number>, key: K): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}

const ACTION_BY_EXIT_CODE: Partial<Record<ExitCode, Action>> = {
  [EXIT_CODES.undelivered]: 'undelivered',
  [EXIT_CODES.cancelled]: 'cancelled',
  [EXIT_CODES.refused]: 'refused',
};

export function toDelivered(receipt: Receipt): RunOutcome {
  const reason = `in sink ${receipt.sink}${describeUnconfirmedTokens(receipt)}`;
  return { action: 'delivered', reason, receipt, lines: describeReceipt(receipt) };
}

function describeUnconfirmedTokens({ unconfirmedTokens }: Receipt): string {
  return unconfirmedTokens > 0 ? `; ${formatCount(unconfirmedTokens, 'unconfirmed token')}` : '';
}

/** @throws the error of a call that did not reach Temporal. */
export function toOutcome(error: unknown): RunOutcome {
  if (!(error instanceof CommandError)) {
    if (findReasonOfNoAccess(error) !== null) throw error;
    return { action: 'failed', reason: describeSdkError(error) };
  }
  const { exitCode, facts, lines } = error;
  const isDelivered = facts.state === 'delivered';
  if (isDelivered && facts.type !== 'DifferentRequest') {
    const place = facts.receipt ? ` to sink ${facts.receipt.sink}` : '';
    return { ...facts, action: 'skipped', reason: `a token was delivered${place} before` };
  }
  const action = ACTION_BY_EXIT_CODE[exitCode] ?? 'failed';
  // The fields that differ, or are wrong, are on lines of their own.
  const isLong = isDelivered || !['refused', 'failed'].includes(action);
  const reasons = isLong ? lines.slice(0, 1) : lines;
  const reason = reasons.map((line) => line.trim()).join('; ');
  return { ...facts, action, reason: cutAndEscape(reason, MAX_REASON_LENGTH) };
}

function worstExitCode(counts: ReadonlyMap<Action, number>): ExitCode {
  if (counts.has('failed') || counts.has('cancelled')) return EXIT_CODES.failed;
  if (counts.has('undelivered')) return EXIT_CODES.undelivered;
  return counts.has('refused') ? EXIT_CODES.refused : EXIT_CODES.done;
}
