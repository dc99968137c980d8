import type { Client } from '@temporalio/client';
import { pMapIterable } from 'p-map';
import { withReadTimeout } from '../../temporal/grpc';
import {
  isOfOrganization,
  listRuns,
  readRetentionMs,
  type RunInfo,
} from '../../temporal/list-runs';
import { readRun } from '../../temporal/read-history';
import type { RunHistory } from '../../temporal/run-history';
import { findTokenOf } from '../../temporal/run-state';
import type { Attempt, Known, Token } from './join-keys';

/** Bounds the histories in memory: each may have megabytes. */
const READ_CONCURRENCY = 2;

/** Reads the tokens and the unconfirmed attempts of an organization's runs, newest run first. */
export async function readHistories(client: Client, orgId: string): Promise<Known> {
  const tokens: Token[] = [];
  const attempts: Attempt[] = [];
  const runs = pMapIterable(
    listRuns(client, null, isOfOrganization(orgId)),
    async (info) => ({ info, history: await readRun(client, info) }),
    { concurrency: READ_CONCURRENCY },
  );
  for await (const { info, history } of runs) {
    attempts.push(...findAttempts(info, history));
    const token = findToken(info, history);
    if (token) tokens.push(token);
  }
  // Only now: Temporal may have deleted runs meanwhile.
  const retentionMs = await withReadTimeout(client, () => readRetentionMs(client));
  return { sinceMs: Date.now() - retentionMs, tokens, attempts };
}

function findToken(info: RunInfo, history: RunHistory): Token | null {
  const { workflowId, runId, startTime, closeTime = startTime } = info;
  const { token, receipt, tokenAt, sinksTried } = history;
  const found = findTokenOf(info, history);
  const createdAt = tokenAt ?? (token ?? receipt)?.createdAt ?? closeTime.toISOString();
  const sink = receipt?.sink ?? null;
  return found && { ...found, createdAt, sink, sinksTried, workflowId, runId };
}

function findAttempts(info: RunInfo, { unconfirmedAttempts, creatingSince }: RunHistory) {
  const { workflowId, runId, status, closeTime } = info;
  const attempts: Attempt[] = unconfirmedAttempts.map((one) => ({ ...one, workflowId, runId }));
  if (creatingSince === null) return attempts;
  const endedAt = closeTime?.toISOString() ?? null;
  const reason = closeTime
    ? `the run was ${status.name.toLowerCase()} meanwhile`
    : 'the run creates a token';
  return [...attempts, { startedAt: creatingSince, endedAt, reason, workflowId, runId }];
}
