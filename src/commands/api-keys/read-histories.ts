import type { Client } from '@temporalio/client';
import { pMapIterable } from 'p-map';
import { findTokenOf } from '../../temporal/earlier-token';
import { listRunsOfOrganization, type RunInfo } from '../../temporal/list-runs';
import { readRun } from '../../temporal/read-history';
import { spanOfArrival, spanOfAttempt, type AttemptOrigin, type TokenOrigin } from './match-keys';

/** Bounds the histories in memory: each may have megabytes. */
const READ_CONCURRENCY = 2;

/**
 * Longest time after the end of a run in which Atlas may still carry out a request that the worker
 * had sent.
 */
const MAX_REQUEST_MS = 60_000;

/**
 * Reads the tokens and the unconfirmed attempts of the runs of an organization, and the ids of
 * these runs.
 */
export async function readHistories(client: Client, orgId: string) {
  const infos = listRunsOfOrganization(client, orgId);
  const readOne = (info: RunInfo) => readOrigins(client, info);
  const runIds = new Set<string>();
  const attempts: AttemptOrigin[] = [];
  const tokens = new Map<string, TokenOrigin>();
  for await (const run of pMapIterable(infos, readOne, { concurrency: READ_CONCURRENCY })) {
    runIds.add(run.runId);
    attempts.push(...run.attempts);
    if (!run.token) continue;
    const { deliveryId } = run.token;
    const newer = tokens.get(deliveryId);
    const token = newer ? mergeTokens(newer, run.token, run.isRecovery) : run.token;
    tokens.set(deliveryId, token);
  }
  return { runIds, tokens, attempts };
}

/**
 * Merges what two runs know of a token. Only the run that created it knows when that was requested.
 */
function mergeTokens(
  newer: TokenOrigin,
  older: TokenOrigin,
  isOlderRecovery: boolean,
): TokenOrigin {
  const facts = older.state === 'delivered' ? older : newer;
  return { ...facts, span: isOlderRecovery ? newer.span : older.span };
}

async function readOrigins(client: Client, info: RunInfo) {
  const { workflowId, runId } = info;
  const history = await readRun(client, info);
  const run = { workflowId, runId };
  const attempts = history.unconfirmedAttempts.map((attempt): AttemptOrigin => ({
    type: 'attempt',
    state: 'unconfirmed',
    ...attempt,
    ...run,
    span: spanOfAttempt(attempt),
  }));
  if (history.creatingSince) attempts.push(describeUnended(info, history.creatingSince));
  if (!history.token) return { runId, attempts, token: null, isRecovery: false };

  const { deliveryId, createdAt } = history.token;
  const { tokenRequestedAt: startedAt, tokenReturnedAt: endedAt } = history;
  const isKnown = startedAt !== null && endedAt !== null;
  const span = isKnown
    ? spanOfAttempt({ startedAt, endedAt, createdAt })
    : spanOfArrival(createdAt);
  const token: TokenOrigin = {
    type: 'token',
    state: findTokenOf(info, history)?.state ?? 'recoverable',
    deliveryId,
    createdAt,
    sink: history.receipt?.sink ?? null,
    ...run,
    span,
  };
  return { runId, attempts, token, isRecovery: !isKnown };
}

/**
 * Describes a creation without an end in the history: in progress, or that of a run which Temporal
 * ended meanwhile.
 */
function describeUnended(
  { workflowId, runId, status, closeTime }: RunInfo,
  startedAt: string,
): AttemptOrigin {
  const endedAt = (closeTime ?? new Date()).toISOString();
  const span = spanOfAttempt({ startedAt, endedAt });
  const attempt = { type: 'attempt' as const, startedAt, endedAt, workflowId, runId };
  if (!closeTime) {
    return { ...attempt, state: 'inProgress', reason: 'the run creates a token', span };
  }
  const reason = `the run was ${status.name.toLowerCase()} meanwhile`;
  return {
    ...attempt,
    state: 'unconfirmed',
    reason,
    span: { ...span, toMs: span.toMs + MAX_REQUEST_MS },
  };
}
