import type { SealedToken } from '../contract/schemas';

/** More than can arrive while Temporal is away. An entry takes 1 to 50 KB, by its access list. */
const MAX_RUNS = 1000;

interface Entry {
  /** Null for an attempt that failed. */
  received: Promise<SealedToken | null>;
  /** What the run counts once it has counted an attempt that received or found the token and could not report it. */
  countsAfterLoss: Set<number>;
}

/**
 * The sealed tokens that attempts on this worker received, by run. When Temporal is away as a token arrives, or the
 * worker was frozen, the attempt cannot report it and counts as lost. The run's next attempt here returns it, as often
 * as it is lost.
 */
export function createReceivedTokens() {
  const byRun = new Map<string, Entry>();

  return {
    /**
     * Remembers what an attempt receives, from before its request is sent.
     *
     * @param unconfirmedTokens what the run counts now.
     */
    async keep(
      runId: string,
      unconfirmedTokens: number,
      receiving: Promise<SealedToken>,
    ): Promise<SealedToken> {
      const received = receiving.catch(() => null);
      byRun.delete(runId);
      byRun.set(runId, { received, countsAfterLoss: new Set([unconfirmedTokens + 1]) });
      const [oldest] = byRun.keys();
      if (byRun.size > MAX_RUNS && oldest !== undefined) byRun.delete(oldest);
      // Attempts that fail, while Atlas does, must not displace tokens.
      if ((await received) === null && byRun.get(runId)?.received === received) byRun.delete(runId);
      return receiving;
    },

    /**
     * The token of the attempt that the run counted last, once that attempt has ended.
     *
     * @param unconfirmedTokens what the run counts now.
     */
    async ofLostAttempt(runId: string, unconfirmedTokens: number): Promise<SealedToken | null> {
      const entry = byRun.get(runId);
      if (!entry?.countsAfterLoss.has(unconfirmedTokens)) return null;
      entry.countsAfterLoss.add(unconfirmedTokens + 1);
      return entry.received;
    },
  };
}
