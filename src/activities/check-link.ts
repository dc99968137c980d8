import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { AdminApi } from '../atlas/admin-api';
import { classifyAtlasError } from '../atlas/outcomes';
import type { Organizations } from '../config/organizations';
import { linkCheckSchema } from '../contract/activity-inputs';
import { WORKFLOW_TYPES, workflowIdFor } from '../contract/names';
import type { Activities } from '../shared/activities';
import { classifyDeliveryError } from '../sinks/outcomes';
import type { Sink } from '../sinks/sink';
import { findEarlierToken } from '../temporal/earlier-token';
import { nullIfNotFound } from '../temporal/grpc';
import { visibilityQuery } from '../temporal/visibility';
import { repeatableCallFailure, temporalUnavailable } from './failures';
import { parseInput } from './guards';
import { withHeartbeats } from './heartbeat';

/** Schema of the used part of a receipt: later releases may add fields. */
const createdSchema = z.object({ createdAt: z.iso.datetime() });

/**
 * Makes the activity that finds out whether a schedule should create a token. A sink that knows the link of
 * the source decides; else Atlas, which knows only the link of the organization.
 *
 * A retry is safe: it only reads.
 */
export function checkLinkActivity(
  atlas: AdminApi,
  sinks: ReadonlyMap<string, Sink>,
  organizations: Organizations,
  minimumTokenAgeMs: number,
): Activities['checkLink'] {
  return async function checkLink(input) {
    const { orgId, sourceOrgId, sink: name, lastTokenAt: known } = parseInput(linkCheckSchema, input);
    const credential = organizations.credentialFor(orgId);
    const sink = organizations.sinksFor(orgId).includes(name) ? sinks.get(name) : undefined;
    // The next run reports all problems of the request at once.
    if (credential === null || !sink)
      return { linked: false, recentToken: false, lastTokenAt: known, tokenRunId: null };

    return withHeartbeats(async () => {
      const linked =
        sourceOrgId !== null && sink.isLinked
          ? await sink.isLinked(sourceOrgId, Context.current().cancellationSignal).catch(throwSinkFailure)
          : await atlas.isLinked(orgId, credential).catch(throwAtlasFailure);
      const { tokenRunId, times } = await readTokens(workflowIdFor(orgId, sourceOrgId));
      const lastTokenAt = findLatest(known === null ? times : [known, ...times]);
      const recentToken = lastTokenAt !== null && Date.now() - Date.parse(lastTokenAt) < minimumTokenAgeMs;
      return { linked, recentToken, lastTokenAt, tokenRunId };
    });
  };
}

/** More than one: the newest delivered run may have recovered an older token. */
const RUNS_READ = 5;

/**
 * Finds the newest run of the pair that has a token, and the creation times of the tokens of its newest
 * delivered runs.
 */
async function readTokens(workflowId: string): Promise<{ tokenRunId: string | null; times: string[] }> {
  const { client } = Context.current();
  const { workflow } = client;
  const query = visibilityQuery({
    WorkflowId: workflowId,
    WorkflowType: WORKFLOW_TYPES.prepare,
    ExecutionStatus: 'Completed',
  });
  const runIds = new Set<string>();
  try {
    // The list, newest first, lags behind by moments.
    const newest = await workflow.getHandle(workflowId).describe().catch(nullIfNotFound);
    const token = await findEarlierToken(client, workflowId, undefined, newest);
    for await (const { runId } of workflow.list({ query, pageSize: RUNS_READ })) {
      if (runIds.add(runId).size === RUNS_READ) break;
    }
    if (newest?.status.name === 'COMPLETED' && newest.type === WORKFLOW_TYPES.prepare)
      runIds.add(newest.runId);
    const results = [...runIds].map((runId) =>
      workflow.getHandle(workflowId, runId).result().catch(nullIfNotFound),
    );
    const times = (await Promise.all(results)).flatMap(
      (result) => createdSchema.safeParse(result).data?.createdAt ?? [],
    );
    return { tokenRunId: token?.runId ?? null, times };
  } catch (error) {
    throw temporalUnavailable(error, workflowId);
  }
}

const CLOCK_TOLERANCE_MS = 24 * 3_600_000;

/** Ignores times in the future: anyone who may start workflows can forge one, which would stop the schedule. */
function findLatest(times: readonly string[]): string | null {
  const latestPossibleMs = Date.now() + CLOCK_TOLERANCE_MS;
  const possible = times.filter((time) => Date.parse(time) < latestPossibleMs);
  return possible.sort((a, b) => Date.parse(a) - Date.parse(b)).at(-1) ?? null;
}

function throwAtlasFailure(error: unknown): never {
  throw repeatableCallFailure(classifyAtlasError(error, 'availableProjects'));
}

function throwSinkFailure(error: unknown): never {
  throw repeatableCallFailure(classifyDeliveryError(error));
}
