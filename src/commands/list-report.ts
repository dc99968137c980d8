import type { Client } from '@temporalio/client';
import pMap from 'p-map';
import type { PrepareRequest } from '../contract/schemas';
import type { Output } from './cli/output';
import { type RunRef, type UnconfirmedAttempt, readRun } from '../temporal/run-history';
import { READ_CONCURRENCY } from './runs/find-runs';

interface Organization {
  orgId: string;
  /** Of its runs, as their memos count. */
  unconfirmedTokens: number;
  attempts: (UnconfirmedAttempt & RunRef)[];
  /** Tokens of the same runs that arrived: their keys in Atlas are accounted for. */
  created: ({ createdAt: string; deliveryId: string } & RunRef)[];
}

/** Prints, for each organization, when the attempts were made that may have created a token, to compare in Atlas. */
export async function listUnconfirmed(
  client: Client,
  runs: AsyncIterable<RunRef & { unconfirmedTokens: number }>,
  output: Output,
): Promise<void> {
  const organizations = new Map<string, Organization>();
  await pMap(
    runs,
    async ({ workflowId, runId, unconfirmedTokens }) => {
      const { request, unconfirmedAttempts, token } = await readRun(client, { workflowId, runId });
      const orgId = (request as Partial<PrepareRequest> | null | undefined)?.orgId ?? 'unknown';
      const none: Organization = { orgId, unconfirmedTokens: 0, attempts: [], created: [] };
      const organization = organizations.get(orgId) ?? none;
      organizations.set(orgId, organization);
      organization.unconfirmedTokens += unconfirmedTokens;
      organization.attempts.push(
        ...unconfirmedAttempts.map((attempt) => ({ ...attempt, workflowId, runId })),
      );
      if (!token) return;
      const { createdAt, deliveryId } = token;
      organization.created.push({ createdAt, deliveryId, workflowId, runId });
    },
    { concurrency: READ_CONCURRENCY },
  );
  for (const organization of organizations.values()) {
    const { orgId, unconfirmedTokens, attempts, created } = organization;
    attempts.sort((a, b) => a.startedAt.localeCompare(b.startedAt));
    created.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
    output.print(organization, [
      `organization ${orgId}: Atlas may have created up to ${unconfirmedTokens} token(s) that no run received, in these attempts`,
      ...attempts.map(
        ({ startedAt, endedAt, reason, workflowId, runId }) =>
          `  ${startedAt} to ${endedAt}  ${workflowId} (${runId}): ${reason}`,
      ),
      ...created.map(
        ({ createdAt, deliveryId, workflowId }) =>
          `  ${createdAt}  ${workflowId}: token ${deliveryId} arrived; its key is accounted for`,
      ),
    ]);
  }
  output.say(
    organizations.size === 0
      ? 'no unconfirmed token'
      : 'look in Atlas for API keys that were created within these times and belong to no token that arrived',
  );
}
