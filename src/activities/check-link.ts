import { CancelledFailure, Context } from '@temporalio/activity';
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
 * Makes the activity that finds out whether a schedule should create a token: whether the source is linked
 * already, and how old the pair's last token is. The sink decides if it knows the link of the source, else
 * Atlas, which knows only the link of the organization.
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
          ? await sink.isLinked(sourceOrgId, Context.current().cancellationSignal).catch(failOfSink)
          : await atlas.isLinked(orgId, credential).catch(failOfAtlas);
      const { tokenRunId, times } = await readTokens(workflowIdFor(orgId, sourceOrgId));
      const lastTokenAt = [...(known ? [known] : []), ...times].filter(isPast).sort(byTime).at(-1) ?? null;
      const recentToken = lastTokenAt !== null && Date.now() - Date.parse(lastTokenAt) < minimumTokenAgeMs;
      return { linked, recentToken, lastTokenAt, tokenRunId };
    });
  };
}

/** Number of delivered runs to read: the newest one may have recovered an older token. */
const RUNS_READ = 5;

/**
 * Finds the newest run of the pair that has a token, and the creation times of the tokens of its newest
 * delivered runs. A schedule knows only its own runs, if any.
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

/** Anyone who may start workflows can forge a time in the future, which would keep the link down. */
function isPast(time: string): boolean {
  return Date.parse(time) < Date.now() + CLOCK_TOLERANCE_MS;
}

function byTime(a: string, b: string): number {
  return Date.parse(a) - Date.parse(b);
}

function failOfAtlas(error: unknown): never {
  throw repeatableCallFailure(classifyAtlasError(error, 'availableProjects'));
}

function failOfSink(error: unknown): never {
  const outcome = classifyDeliveryError(error);
  throw repeatableCallFailure(
    error instanceof CancelledFailure
      ? { ...outcome, message: 'the attempt was stopped before the sink had responded; another follows' }
      : outcome,
  );
}
