import { commandLine } from '../../shared/command-line';
import type { RunRef } from '../../temporal/read-history';
import type { CommandContext } from '../cli/context';
import { countUp, createBulk, describeCounts, toDelivered, type Bulk, type BulkItem } from './bulk';
import { followRuns } from './follow-runs';
import type { Progress } from './look-at';
import { requirePrepareRun } from './refusals';
import { findMissingWorker } from './why-stuck';

export type FollowedRun = BulkItem & RunRef;

/** Follows the newest run of a workflow id. */
export async function watch(context: CommandContext, workflowId: string): Promise<void> {
  const { client, output } = context;
  const { runId } = await requirePrepareRun(client, { workflowId });
  output.setFollowUp(`the run goes on; follow it: ${commandLine('watch', workflowId)}`);
  await follow(context, createBulk(output), [{ workflowId, runId }]);
}

/**
 * Follows runs until each has ended or is undelivered, and shows how many do what.
 *
 * @throws as `printError` of the bulk.
 */
export async function follow(
  { client, output }: CommandContext,
  bulk: Bulk,
  runs: readonly FollowedRun[],
): Promise<void> {
  /** Of each open run, the one that was looked at last at the end; null before the first look. */
  const progresses = new Map<string, Progress | null>(runs.map(({ runId }) => [runId, null]));
  const taskQueues = new Set<string>();

  await bulk.showProgress(
    () => describeOpen([...progresses.values()]),
    () =>
      followRuns(client, runs, {
        onLook({ runId }, { run, progress }) {
          taskQueues.add(run.taskQueue);
          if (!progress) return;
          progresses.delete(runId);
          progresses.set(runId, progress);
        },
        onEnd(run, ending) {
          const { runId } = run;
          progresses.delete(runId);
          if ('error' in ending) bulk.printError(run, ending.error);
          else bulk.print(run, { ...toDelivered(ending.receipt), runId });
        },
        async onPause() {
          for (const taskQueue of taskQueues) {
            output.note(await findMissingWorker(client, taskQueue, 0));
          }
          taskQueues.clear();
        },
        signal: output.signal,
      }),
  );
}

/** Reasons that begin alike are one: their ends have times. */
const COMPARED_LENGTH = 60;

/** Describes what runs do, with the commonest reason why they are not further and its count. */
export function describeOpen(progresses: readonly (Progress | null)[]): string {
  const steps = new Map<string, number>();
  const reasons = new Map<
    string,
    { step: string; reason: string; count: number; attempt: number }
  >();
  for (const progress of progresses) {
    const { step = 'started', reason = null, attempt = null } = progress ?? {};
    countUp(steps, step);
    if (reason === null) continue;
    const key = `${step} ${reason.slice(0, COMPARED_LENGTH)}`;
    const known = reasons.get(key) ?? { count: 0, attempt: 0 };
    reasons.set(key, {
      step,
      reason,
      count: known.count + 1,
      attempt: Math.max(known.attempt, attempt ?? 0),
    });
  }
  // In the same order each time.
  const counts = new Map([...steps].sort());
  const [commonest] = [...reasons.values()].sort((a, b) => b.count - a.count);
  const { step = '', reason, count = 0, attempt = 0 } = commonest ?? {};
  const ofStep = counts.get(step) ?? 0;
  // The step with the reason comes last, beside it.
  if (counts.delete(step)) counts.set(step, ofStep);
  const isAlone = progresses.length === 1;
  const what = isAlone ? [...counts.keys()].join() : describeCounts(counts);
  if (reason === undefined) return what;
  const ofThem = [count < ofStep && `${count} of them`, attempt > 0 && `attempt ${attempt}`];
  const before = ofThem.filter(Boolean).join(', ');
  return `${what} (${before ? `${before}: ` : ''}${reason})`;
}
