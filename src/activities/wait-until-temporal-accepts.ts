import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '@temporalio/activity';
import { GRPC, findGrpcCode } from '../temporal/grpc';

/** For each try: Core repeats a call for up to ten seconds. */
const CALL_TIMEOUT_MS = 5000;
const PAUSE_MS = 1000;
const WAITING =
  'Temporal cannot take the result of an attempt to create a token: the attempt waits for Temporal';

/**
 * Waits until Temporal can take the result or the failure of this attempt. Temporal's Core reports
 * either for ten seconds only, then drops it (SDK 1.24.0). If it drops a token, the run never gets
 * it; if it drops a failure, the run must count a token that may exist.
 *
 * The probe is a heartbeat of this attempt, which the server must write to its database:
 * `getSystemInfo` responds even while that database is away. The heartbeat also renews the attempt,
 * so that the result can follow. NOT_FOUND says that the attempt is over. A cancelled, paused or
 * reset attempt waits too: its token counts.
 *
 * @param attemptEndsAtMs when the attempt times out, by the clock of `performance`, which nobody
 *   sets. The wait ends then.
 */
export async function waitUntilTemporalAccepts(
  { client, info, log }: Context,
  attemptEndsAtMs: number,
): Promise<void> {
  const { namespace } = client.options;
  const request = { namespace, taskToken: info.taskToken };
  const heartbeat = () => client.workflowService.recordActivityTaskHeartbeat(request);
  let isWarned = false;
  while (performance.now() < attemptEndsAtMs) {
    try {
      await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, heartbeat);
      return;
    } catch (error) {
      const code = findGrpcCode(error);
      if (code === GRPC.notFound) return;
      if (!isWarned) {
        const until = new Date(Date.now() + attemptEndsAtMs - performance.now());
        log.warn(WAITING, { code, until: until.toISOString() });
        isWarned = true;
      }
      await sleep(PAUSE_MS);
    }
  }
}
