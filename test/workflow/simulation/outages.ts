import type { Backoff } from '../../../src/shared/activities';
import { nowMs } from './clock';
import type { Process } from './network';

/** Of a worker, while Atlas fails. */
interface Outage {
  sinceMs: number;
  /** Of POSTs, one after the other. */
  failures: number;
  lastFailureMs: number;
  probes: number;
}

/**
 * Watches the POSTs of workers while Atlas fails.
 *
 * @param problems gets the sentences that do not hold.
 */
export function watchOutages(
  { initialIntervalMs, maximumIntervalMs }: Backoff,
  problems: Set<string>,
) {
  const outages = new Map<Process, Outage>();

  function requireProbe({ lastFailureMs, failures, probes }: Outage, begunMs: number): void {
    const backoffMs = Math.min(initialIntervalMs * 2 ** (failures - 1), maximumIntervalMs);
    if (probes > 0) problems.add('while Atlas fails, a worker sends one POST at a time');
    // A request that was under way already may fail during a probe.
    if (begunMs > lastFailureMs && nowMs() < lastFailureMs + backoffMs / 2) {
      problems.add('while Atlas fails, the pauses between the POSTs of a worker grow');
    }
  }

  return {
    /**
     * @param begunMs when the attempt began: one that began before the outage is no probe.
     * @returns what to call with the status of the response, null if none arrives.
     */
    onPost(process: Process, begunMs: number): (status: number | null) => void {
      const outage = outages.get(process);
      const isProbe = outage !== undefined && begunMs > outage.sinceMs;
      if (isProbe) {
        requireProbe(outage, begunMs);
        outage.probes += 1;
      }
      return (status) => {
        if (isProbe) outage.probes -= 1;
        const current = outages.get(process);
        if (status !== null && status < 500) outages.delete(process);
        else if (!current) {
          const sinceMs = nowMs();
          outages.set(process, { sinceMs, failures: 1, lastFailureMs: sinceMs, probes: 0 });
        } else {
          current.lastFailureMs = nowMs();
          if (isProbe) current.failures += 1;
        }
      };
    },

    /** A response to a request for an access token closes the circuit, or opens it anew. */
    onAccessToken(process: Process, status: number | null): void {
      if (status !== 200) outages.delete(process);
    },
  };
}
