import type { SealedToken } from '../contract/schemas';

/** More than can arrive while Temporal is away. An entry takes 1 to 50 KB, by its access list. */
const MAX_RUNS = 1000;

/**
 * The sealed tokens that attempts on this worker received, by run. When Temporal is away as a token arrives, or the
 * worker was frozen, the attempt cannot report it and counts as lost. The run's next attempt here returns it.
 */
export function createReceivedTokens() {
  /** Null for an attempt that failed. */
  const byRun = new Map<string, Promise<SealedToken | null>>();

  return {
    /** Remembers what an attempt receives, from before its request is sent. */
    async keep(runId: string, receiving: Promise<SealedToken>): Promise<SealedToken> {
      const received = receiving.catch(() => null);
      byRun.delete(runId);
      byRun.set(runId, received);
      const [oldest] = byRun.keys();
      if (byRun.size > MAX_RUNS && oldest !== undefined) byRun.delete(oldest);
      // Attempts that fail, while Atlas does, must not displace tokens.
      if ((await received) === null && byRun.get(runId) === received) byRun.delete(runId);
      return receiving;
    },

    /**
     * The token of the attempt that the run counted last, once that attempt has ended.
     *
     * @param unconfirmedTokens what the run counts now. Sealed with the token is the count before.
     */
    async ofLostAttempt(runId: string, unconfirmedTokens: number): Promise<SealedToken | null> {
      const token = await byRun.get(runId);
      return token?.unconfirmedTokens === unconfirmedTokens - 1 ? token : null;
    },
  };
}
