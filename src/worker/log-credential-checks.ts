import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@temporalio/worker';
import pMap from 'p-map';
import type { Services } from '../config/services';
import { credentialChecks } from '../doctor/credential-checks';
import { runAll } from '../doctor/run-all';

const CONCURRENCY = 5;
/** Workers that start together must not reach Atlas's limit of requests. */
const MAX_DELAY_MS = 30_000;

/**
 * Checks each credential once, after a random delay of at most half a minute, and logs what
 * `doctor` would say.
 *
 * @throws AbortError
 */
export async function logCredentialChecks(
  services: Services,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  await sleep(Math.random() * MAX_DELAY_MS, undefined, { signal });
  const checkOne = async (name: string) => {
    const scope = { credentials: [name], target: null };
    const checks = credentialChecks(services, scope, { onHost: true });
    for (const { check, state, message } of await runAll(checks)) {
      const isProblem = state === 'error' || state === 'warning';
      logger[isProblem ? 'warn' : 'info'](`${check}: ${message}`);
    }
  };
  await pMap(services.organizations.credentials(), checkOne, { concurrency: CONCURRENCY, signal });
}
