import { isDeepStrictEqual } from 'node:util';
import type { ScheduledResult } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { readFailure } from './resolutions';
import type { SimulatedRun } from './run';
import type { World } from './world';

/*
 * The sentences on the runs of schedules.
 */

interface Scheduled {
  run: SimulatedRun;
  child: SimulatedRun | undefined;
  /** When its check ended. */
  checkedMs: number;
  /** The runs of the pair. */
  runs: readonly SimulatedRun[];
  always: boolean;
  result: Partial<ScheduledResult>;
}

type Rule = (scheduled: Scheduled) => boolean;

const SCHEDULE_RULES: Record<string, Rule> = {
  'a schedule is CANCELLED only if somebody cancelled it': ({ run }) =>
    run.status !== 'CANCELLED' || run.isCancelRequested,
  'a schedule that fails has the failure of what it started': ({ run, child }) => {
    if (run.status !== 'FAILED' || !child) return true;
    const { type, message } = readFailure(run.ending);
    if (child.status !== 'FAILED') return type === 'Cancelled';
    const own = readFailure(child.ending);
    return type === own.type && type !== 'TokenExists' && message === own.message;
  },
  'the result of a schedule is what it did': ({ run, child, result, runs }) => {
    if (run.status !== 'COMPLETED') return true;
    const { outcome, receipt, lastTokenAt } = result;
    if (outcome === 'prepared') {
      const isReceiptOfChild = isDeepStrictEqual(receipt, child?.ending);
      return (
        child?.status === 'COMPLETED' && isReceiptOfChild && lastTokenAt === receipt?.createdAt
      );
    }
    if (receipt !== null) return false;
    if (outcome === 'recentToken' && child) return readFailure(child.ending).type === 'TokenExists';
    const wasOpen = ({ startMs, closeMs = Infinity }: SimulatedRun) =>
      startMs <= (run.closeMs ?? 0) && closeMs >= run.startMs;
    return !child && (outcome !== 'alreadyRunning' || runs.some(wasOpen));
  },
  'a schedule permits the tokens that its check saw, and no newer one': (scheduled) => {
    const { child, checkedMs, always, runs } = scheduled;
    if (!child) return true;
    const [{ again }] = child.args as [{ again?: true | string }];
    if (always || again === undefined) return always === (again === true);
    const permitted = runs.find(({ runId }) => runId === again);
    return (permitted?.closeMs ?? Infinity) <= checkedMs;
  },
};

/** @returns the sentences that do not hold. */
export function findScheduleProblems({ temporal, prepareRuns }: World): string[] {
  const schedules = temporal.runs.filter(({ type }) => type === WORKFLOW_TYPES.prepareOnSchedule);
  return schedules
    .filter(({ status }) => status !== 'TERMINATED')
    .flatMap((run) => {
      const [{ request, always }] = run.args as [{ request: { orgId: string }; always: boolean }];
      const [child] = run.children.keys();
      const [activity] = run.scheduled.values();
      const checkedMs = activity?.overMs.get(activity.attempt) ?? 0;
      const runs = prepareRuns().filter(({ workflowId }) => workflowId === workflowIdFor(request));
      const scheduled = { run, child, checkedMs, runs, always, result: run.ending };
      return Object.entries(SCHEDULE_RULES)
        .filter(([, holds]) => !holds(scheduled))
        .map(
          ([sentence]) =>
            `${sentence}: run ${run.runId.slice(0, 4)} ${JSON.stringify(run.ending).slice(0, 200)}`,
        );
    });
}
