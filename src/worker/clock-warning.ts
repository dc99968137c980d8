import type { Logger } from '@temporalio/worker';
import { describeWrongClock } from '../atlas/clock';
import type { RequestSummary } from '../atlas/transport';

/**
 * Returns a function that warns of a wrong clock, once until a response of Atlas shows that it is
 * right again.
 */
export function createClockWarning(logger: Logger): (request: RequestSummary) => void {
  let isWrong = false;
  return ({ clockOffsetMs }) => {
    if (clockOffsetMs === null) return;
    const problem = describeWrongClock(clockOffsetMs);
    if (problem !== null && !isWrong) logger.warn(problem);
    isWrong = problem !== null;
  };
}
