import type { Logger, NativeConnection } from '@temporalio/worker';
import type { TemporalConnection } from './connection';
import { readTemporalSettings } from './settings';

const CHECK_INTERVAL_MS = 10_000;

/**
 * Takes up the API key when the profile file changes, so that a rotated key needs no restart.
 *
 * @returns what ends it.
 */
export function followApiKey(
  { connection, apiKey: first }: Pick<TemporalConnection<NativeConnection>, 'connection' | 'apiKey'>,
  env: NodeJS.ProcessEnv,
  log: Pick<Logger, 'info' | 'warn'>,
  intervalMs = CHECK_INTERVAL_MS,
): () => void {
  let current = first;
  let lastProblem = '';

  async function renew(): Promise<void> {
    try {
      const { apiKey } = readTemporalSettings(env).connectionOptions;
      lastProblem = '';
      if (typeof apiKey !== 'string' || apiKey === current) return;
      await connection.setApiKey(apiKey);
      current = apiKey;
      log.info("took up Temporal's new API key");
    } catch (error) {
      const { message } = error as Error;
      if (message !== lastProblem) log.warn(`kept Temporal's former API key: ${message}`);
      lastProblem = message;
    }
  }

  const timer = setInterval(() => void renew(), intervalMs);
  return () => clearInterval(timer);
}
