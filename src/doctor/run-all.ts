import { raceSignal, withTimeout } from '../abort';
import type { Finding } from '../contract/schemas';
import { classifyDeliveryError } from '../sinks/classify-delivery-error';
import { failedCheck, type Check, type CheckResult } from './check-result';

const CHECK_TIMEOUT_MS = 10_000;

/**
 * Runs checks at the same time, each for at most ten seconds. An error of a check is its result.
 */
export function runAll(checks: readonly Check[]): Promise<(CheckResult & Finding)[]> {
  return Promise.all(
    checks.map(async (check) => {
      const result = await runOne(check);
      return { check: check.name, ...result };
    }),
  );
}

async function runOne({ run, onTimeout = mayPass }: Check): Promise<CheckResult> {
  let timeout: AbortSignal | null = null;
  const runUntilTimeout = (signal: AbortSignal) => {
    timeout = signal;
    return raceSignal(() => run(signal), signal);
  };
  try {
    return await withTimeout(CHECK_TIMEOUT_MS, undefined, runUntilTimeout);
  } catch (cause) {
    if ((timeout as AbortSignal | null)?.aborted) {
      return onTimeout(
        `no result within ${CHECK_TIMEOUT_MS / 1000} s: check that the worker can reach it`,
      );
    }
    const { message, permanent } = classifyDeliveryError(cause);
    return failedCheck(message, { permanent });
  }
}

const mayPass = (message: string) => failedCheck(message, { permanent: false });
