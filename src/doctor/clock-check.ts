import type { AdminApi } from '../atlas/admin-api';
import { describeWrongClock } from '../atlas/clock';
import type { Finding } from '../contract/schemas';
import { ok, unchecked, warning, type CheckResult } from './check-result';

/** Judges the clock by the responses of Atlas that other checks have had. */
export function checkClock(atlas: Pick<AdminApi, 'clockOffsetMs'>): Finding & CheckResult {
  return { check: 'clock', ...judge(atlas.clockOffsetMs()) };
}

function judge(offsetMs: number | null): CheckResult {
  if (offsetMs === null) return unchecked('no response of Atlas to compare it with');
  const problem = describeWrongClock(offsetMs);
  return problem === null ? ok('it agrees with the clock of Atlas') : warning(problem);
}
