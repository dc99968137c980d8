import type { Client } from '@temporalio/client';
import { pMapIterable } from 'p-map';
import { isOfOrganization, listRuns, type RunInfo } from '../../temporal/list-runs';
import { readRun } from '../../temporal/read-history';
import type { RunHistory } from '../../temporal/run-history';
import { findTokenOf } from '../../temporal/run-state';
import {
  spanOfArrival,
  spanOfAttempt,
  spanOfCreation,
  type AttemptOrigin,
  type Origin,
} from './match-keys';

type RunOfHistory = Pick<RunInfo, 'workflowId' | 'runId' | 'status' | 'closeTime'>;

/** Bounds the histories in memory: each may have megabytes. */
const READ_CONCURRENCY = 2;

/** Reads the tokens and the unconfirmed attempts of an organization's runs, newest run first. */
export async function readHistories(client: Client, orgId: string): Promise<Origin[]> {
  const origins: Origin[] = [];
  const runs = pMapIterable(
    listRuns(client, null, isOfOrganization(orgId)),
    async (info) => findOriginsOf(info, await readRun(client, info)),
    { concurrency: READ_CONCURRENCY },
  );
  for await (const ofRun of runs) origins.push(...ofRun);
  return origins;
}

/** Finds the token and the unconfirmed attempts of a run in its history. */
export function findOriginsOf(info: RunOfHistory, history: RunHistory): Origin[] {
  const { workflowId, runId } = info;
  const run = { workflowId, runId };
  const origins: Origin[] = history.unconfirmedAttempts.map((attempt) => ({
    type: 'attempt',
    state: 'unconfirmed',
    ...attempt,
    ...run,
    span: spanOfAttempt(attempt),
  }));
  if (history.creatingSince) origins.push(describeUnended(info, history.creatingSince));
  const token = findTokenOf(info, history);
  if (!token || !history.token) return origins;

  const { deliveryId, createdAt } = history.token;
  const { tokenRequestedAt: startedAt, tokenReturnedAt: endedAt } = history;
  const isCreated = startedAt !== null && endedAt !== null;
  origins.push({
    type: 'token',
    state: token.state,
    deliveryId,
    createdAt,
    sink: history.receipt?.sink ?? null,
    ...run,
    span: isCreated ? spanOfCreation({ startedAt, endedAt }, createdAt) : spanOfArrival(createdAt),
  });
  return origins;
}

/**
 * Describes a creation without an end in the history: in progress, or that of a run which Temporal
 * ended meanwhile.
 */
function describeUnended(
  { workflowId, runId, status, closeTime }: RunOfHistory,
  startedAt: string,
): AttemptOrigin {
  const endedAt = (closeTime ?? new Date()).toISOString();
  const span = spanOfAttempt({ startedAt, endedAt });
  const attempt = { type: 'attempt' as const, startedAt, endedAt, workflowId, runId };
  if (!closeTime) {
    const reason = 'the run creates a token';
    // The clock of this machine decides nothing: the list has only keys that are made already.
    return {
      ...attempt,
      state: 'inProgress',
      reason,
      span: { fromMs: span.fromMs, toMs: Infinity },
    };
  }
  const reason = `the run was ${status.name.toLowerCase()} meanwhile`;
  return { ...attempt, state: 'unconfirmed', reason, span };
}
