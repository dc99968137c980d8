import { CancelledFailure, Context } from '@temporalio/activity';
import { z } from 'zod';
import type { AdminApi } from '../atlas/admin-api';
import { classifyAtlasError } from '../atlas/outcomes';
import type { Organizations } from '../config/organizations';
import type { Activities } from '../contract/activities';
import { WORKFLOW_TYPES, workflowIdFor } from '../contract/names';
import { linkCheckSchema } from '../contract/schemas';
import type { Sink } from '../sinks/sink';
import { GRPC, grpcCodeOf, nullIfNotFound } from '../temporal/grpc';
import { visibilityQuery } from '../temporal/visibility';
import { classifyDeliveryError } from './delivery-outcomes';
import { applicationFailure, repeatableCallFailure } from './failures';
import { parseInput } from './guards';
import { withHeartbeats } from './heartbeat';

/** Of a receipt, as much as is needed; receipts may grow. */
const createdSchema = z.object({ createdAt: z.iso.datetime() });

/**
 * Finds out whether a schedule has a reason to create a token: whether the source is linked already, and how old the
 * pair's last token is. A sink that knows the link of the source decides, else Atlas, which knows only that of the
 * organization.
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
    // The run that is started next reports all problems of the request at once.
    if (credential === null || !sink) return { linked: false, recentToken: false, lastTokenAt: known };

    return withHeartbeats(async () => {
      const linked =
        sourceOrgId !== null && sink.isLinked
          ? await sink.isLinked(sourceOrgId, Context.current().cancellationSignal).catch(failOfSink)
          : await atlas.isLinked(orgId, credential).catch(failOfAtlas);
      const times = await deliveredTokenTimes(workflowIdFor(orgId, sourceOrgId));
      const lastTokenAt = [...(known ? [known] : []), ...times].filter(isPast).sort(byTime).at(-1) ?? null;
      const recentToken = lastTokenAt !== null && Date.now() - Date.parse(lastTokenAt) < minimumTokenAgeMs;
      return { linked, recentToken, lastTokenAt };
    });
  };
}

/** More than one, since a run that recovers an older token may be the newest. */
const RUNS_READ = 5;

/** Until somebody changes the worker's permissions, or the server. */
const REFUSED_CODES: readonly number[] = [GRPC.permissionDenied, GRPC.unimplemented, GRPC.invalidArgument];

/** When the tokens of the newest runs were created. A schedule knows only of its own runs, if at all. */
async function deliveredTokenTimes(workflowId: string): Promise<string[]> {
  const { workflow } = Context.current().client;
  const query = visibilityQuery({
    WorkflowId: workflowId,
    WorkflowType: WORKFLOW_TYPES.prepare,
    ExecutionStatus: 'Completed',
  });
  const runIds = new Set<string>();
  try {
    for await (const { runId } of workflow.list({ query, pageSize: RUNS_READ })) {
      if (runIds.add(runId).size === RUNS_READ) break;
    }
    // The list, newest first, lags behind by moments.
    const newest = await workflow.getHandle(workflowId).describe().catch(nullIfNotFound);
    if (newest?.status.name === 'COMPLETED' && newest.type === WORKFLOW_TYPES.prepare)
      runIds.add(newest.runId);
    const results = [...runIds].map((runId) =>
      workflow.getHandle(workflowId, runId).result().catch(nullIfNotFound),
    );
    return (await Promise.all(results)).flatMap(
      (result) => createdSchema.safeParse(result).data?.createdAt ?? [],
    );
  } catch (error) {
    const code = grpcCodeOf(error);
    const reason = code === null ? (error as Error).name : `gRPC status ${code}`;
    throw applicationFailure({
      type: 'TemporalUnavailable',
      message: `Temporal did not list and read the runs of ${workflowId} (${reason}): grant the worker the permission to list and read workflows`,
      nonRetryable: code !== null && REFUSED_CODES.includes(code),
    });
  }
}

const CLOCK_TOLERANCE_MS = 24 * 3_600_000;

/** Anyone who may start workflows can complete a run with any time, and one in the future would keep the link down. */
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
