import { Context } from '@temporalio/activity';

/** Often enough that a cancellation is seen within a second or so. */
const HEARTBEAT_INTERVAL_MS = 1000;

/**
 * Heartbeats at once, every second, and whenever `beat` is called because the details changed, until the work ends.
 * Each repeats the details, since a heartbeat without them would erase those of the one before.
 */
export async function withHeartbeats<T>(
  details: () => unknown,
  work: (beat: () => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const beat = () => context.heartbeat(details());
  beat();
  const timer = setInterval(beat, HEARTBEAT_INTERVAL_MS);
  try {
    return await work(beat);
  } finally {
    clearInterval(timer);
  }
}

/**
 * A heartbeat that the server has taken when this resolves. `Context.heartbeat` is buffered, so a worker killed in the
 * next moment would lose it.
 *
 * @throws when the server does not take it, or says that the attempt is no longer wanted.
 */
export async function acknowledgedHeartbeat(details: unknown): Promise<void> {
  const { client, info } = Context.current();
  await client.activity.heartbeat(info.taskToken, details);
}
