import { randomBytes } from 'node:crypto';

/** The nonces of HTTP Digest. */
export class Nonces {
  private readonly nonces = new Map<string, { issuedAt: number; counts: Set<string> }>();

  issue(): string {
    const nonce = randomBytes(24).toString('base64url');
    this.nonces.set(nonce, { issuedAt: Date.now(), counts: new Set() });
    return nonce;
  }

  /**
   * Each count is good once, in any order, since simultaneous requests overtake each other; RFC
   * 7616, 3.4, calls a count seen twice a replay.
   */
  use(nonce: string, count: string, lifetimeMs: number): 'good' | 'stale' | 'replayed' {
    const record = this.nonces.get(nonce);
    if (!record || Date.now() - record.issuedAt >= lifetimeMs) {
      this.nonces.delete(nonce);
      return 'stale';
    }
    if (record.counts.has(count)) return 'replayed';
    record.counts.add(count);
    return 'good';
  }

  /** Ends all nonces at once. */
  expire(): void {
    this.nonces.clear();
  }
}
