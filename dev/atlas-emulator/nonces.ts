import { randomBytes } from 'node:crypto';

export class Nonces {
  private readonly nonces = new Map<string, { issuedAt: number; counts: Set<string> }>();

  issue(): string {
    const nonce = randomBytes(24).toString('base64url');
    this.nonces.set(nonce, { issuedAt: Date.now(), counts: new Set() });
    return nonce;
  }

  /**
   * Each count is good once, in any order, since requests sent at the same time overtake each other; RFC 7616, 3.4,
   * calls a count seen twice a replay.
   */
  use(nonce: string, count: string, lifetimeMs: number): 'good' | 'stale' | 'replayed' {
    const known = this.nonces.get(nonce);
    if (!known || Date.now() - known.issuedAt >= lifetimeMs) {
      this.nonces.delete(nonce);
      return 'stale';
    }
    if (known.counts.has(count)) return 'replayed';
    known.counts.add(count);
    return 'good';
  }

  clear(): void {
    this.nonces.clear();
  }
}
