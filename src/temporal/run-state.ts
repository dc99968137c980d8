import type { TokenState } from '../contract/states';
import type { RunInfo } from './list-runs';
import type { RunHistory } from './run-history';

/*
 * What a run is, and what became of its token, as Temporal has it.
 */

export function isOpen({ status: { name } }: Pick<RunInfo, 'status'>): boolean {
  return name === 'RUNNING' || name === 'PAUSED';
}

/** Tells the state of a run, as commands print it. */
export function findRunState(run: Pick<RunInfo, 'status' | 'memo'>): string {
  const { status, memo } = run;
  if (isOpen(run) && memo.step === 'undelivered') return memo.step;
  return status.name === 'COMPLETED' ? 'delivered' : status.name.toLowerCase();
}

/** Tells which token a run has; null without one. Every command and activity asks this function. */
export function findTokenOf(
  run: Pick<RunInfo, 'status'>,
  { token, tokenAt, receipt, deliveredId }: RunHistory,
): { state: TokenState; deliveryId: string | null; publicApiKey: string | null } | null {
  const publicApiKey = receipt?.publicApiKey ?? token?.publicApiKey ?? null;
  if (run.status.name === 'COMPLETED' || deliveredId !== null) {
    return { state: 'delivered', deliveryId: receipt?.deliveryId ?? deliveredId, publicApiKey };
  }
  if (tokenAt === null) return null;
  const state = isOpen(run) ? 'open' : 'abandoned';
  return { state, deliveryId: token?.deliveryId ?? null, publicApiKey };
}

/** Tells whether the memo of a closed run says that it left a token. */
export function isAbandoned(run: Pick<RunInfo, 'status' | 'memo'>): boolean {
  return !isOpen(run) && run.status.name !== 'COMPLETED' && run.memo.deliveryId !== null;
}

/**
 * Tells whether a closed run may have a token. Temporal ends some runs without notice; the memo of
 * any other says whether it left a token.
 */
export function mayHaveToken({ status, memo }: Pick<RunInfo, 'status' | 'memo'>): boolean {
  return memo.deliveryId !== null || ['COMPLETED', 'TERMINATED', 'TIMED_OUT'].includes(status.name);
}
