import type { Attempt, Known, Token } from '../../../../src/commands/api-keys/join-keys';
import type { ApiKey } from '../../../../src/commands/api-keys/read-keys';

const ids = { workflowId: 'live-migration-prep/x', runId: 'run' };

/** A time so many seconds after nine o'clock. */
export const at = (seconds: number) =>
  new Date(Date.UTC(2026, 10, 25, 9) + seconds * 1000).toISOString();

export const newToken = (publicApiKey: string | null, more: Partial<Token> = {}): Token => ({
  state: 'delivered',
  deliveryId: `id of ${publicApiKey}`,
  publicApiKey,
  createdAt: at(0.5),
  sink: 'drop',
  sinksTried: [],
  ...ids,
  ...more,
});

export const newAttempt = (
  from: number,
  to: number | null,
  more: Partial<Attempt> = {},
): Attempt => ({
  startedAt: at(from),
  endedAt: to === null ? null : at(to),
  reason: 'Atlas returned 503',
  ...ids,
  ...more,
});

/** A key of a link-token that was made so many seconds after nine o'clock. */
export const newKey = (publicKey: string, seconds = 0, more: Partial<ApiKey> = {}): ApiKey => ({
  id: `${(Date.parse(at(seconds)) / 1000).toString(16)}4f3c2b1a09876543`,
  publicKey,
  desc: 'Atlas Migration Service Key - 0a1b2c3',
  isOwner: true,
  ...more,
});

export const NOTHING: Known = { sinceMs: Infinity, tokens: [], attempts: [] };
