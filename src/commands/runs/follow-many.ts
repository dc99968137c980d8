import type { RunRef } from '../../temporal/read-history';
import type { CommandContext } from '../cli/context';
import { describeCounts, toDelivered, toOutcome, type Bulk, type BulkItem } from './bulk';
import { followRuns, type Ending } from './follow-runs';
import type { Progress } from './look-at';
import { findMissingWorker } from './why-stuck';

export type StartedRun = BulkItem & RunRef;

/**
 * Follows runs until each has ended or is undelivered, and shows how many do what.
 *
 * @throws the error of a call that did not reach Temporal.
 */
export async function followMany(
  { client, taskQueue, output }: CommandContext,
  bulk: Bulk,
  runs: readonly StartedRun[],
): Promise<void> {
  /** Of each open run, the one that was looked at last at the end; null before the first look. */
  const progresses = new Map<string, Progress | null>(runs.map(({ runId }) => [runId, null]));

  function printEnding(run: StartedRun, ending: Ending): void {
    const { runId } = run;
    const outcome = 'receipt' in ending ? toDelivered(ending.receipt) : toOutcome(ending.error);
    progresses.delete(runId);
    bulk.print(run, { ...outcome, runId });
  }

  await bulk.showProgress(
    () => describeOpen(progresses.values()),
    () =>
      followRuns(client, runs, {
        onLook: ({ runId }, { progress }) => {
          if (!progress) return;
          progresses.delete(runId);
          progresses.set(runId, progress);
        },
        onEnd: printEnding,
        onPause: async () => output.note(await findMissingWorker(client, taskQueue, 0)),
        signal: output.signal,
      }),
  );
}

/** Reasons that begin alike are one: their ends have times. A terminal has room for no more. */
const COMPARED_LENGTH = 60;

/** Describes what runs do, with the commonest reason why they are not further. */
function describeOpen(progresses: Iterable<Progress | null>): string {
  const steps = new Map<string, number>();
  const reasons = new Map<string, { count: number; attempt: number; reason: string }>();
  for (const progress of progresses) {
    const { step = 'started', reason = null, attempt = null } = progress ?? {};
    steps.set(step, (steps.get(step) ?? 0) + 1);
    if (reason === null) continue;
    const beginning = reason.slice(0, COMPARED_LENGTH);
    const known = reasons.get(beginning) ?? { count: 0, attempt: 0 };
    reasons.set(beginning, {
      count: known.count + 1,
      attempt: Math.max(known.attempt, attempt ?? 0),
      reason,
    });
  }
  // In the same order each time.
  const counts = describeCounts(new Map([...steps].sort()));
  const [commonest] = [...reasons.values()].sort((a, b) => b.count - a.count);
  if (!commonest) return counts;
  const { reason, attempt } = commonest;
  return `${counts} (${attempt > 0 ? `attempt ${attempt}: ` : ''}${reason})`;
}
