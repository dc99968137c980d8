import type { SealedToken } from '../contract/schemas';

/** More tokens than arrive in an outage of Temporal; beyond it the oldest is dropped. An entry takes 1 to 50 KB. */
const MAX_RUNS = 1000;

interface Entry {
  /** Result of the attempt; null if it failed. */
  received: Promise<SealedToken | null>;
  /** Counts of the run at which each loss since `keep` was of this token, so that the count sealed in it is right. */
  matchingCounts: Set<number>;
}

/**
 * Keeps the sealed tokens that attempts on this worker received, by run. An attempt that cannot report its token, since
 * Temporal is down or the worker was frozen, counts as lost. The run's next attempt here returns the token, again each
 * time that its report is lost.
 */
export function createReceivedTokens() {
  const byRun = new Map<string, Entry>();

  return {
    /** Keeps the token that an attempt receives. Call it in the turn in which the attempt begins. */
    async keep(runId: string, unconfirmedTokens: number, receiving: Promise<SealedToken>): Promise<SealedToken> {
      const received = receiving.catch(() => null);
      byRun.delete(runId);
      byRun.set(runId, { received, matchingCounts: new Set([unconfirmedTokens + 1]) });
      const isKept = (await received) !== null;
      // Failed attempts must not displace tokens.
      if (!isKept && byRun.get(runId)?.received === received) byRun.delete(runId);
      const [oldest] = byRun.keys();
      if (isKept && byRun.size > MAX_RUNS && oldest !== undefined) byRun.delete(oldest);
      return receiving;
    },

    /** Finds the token of the attempt that the run counted last. Waits until that attempt has ended. */
    async find(runId: string, unconfirmedTokens: number): Promise<SealedToken | null> {
      const entry = byRun.get(runId);
      if (!entry?.matchingCounts.has(unconfirmedTokens)) return null;
      // This attempt may be lost too.
      entry.matchingCounts.add(unconfirmedTokens + 1);
      return entry.received;
    },
  };
}
