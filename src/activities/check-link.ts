import { Context } from '@temporalio/activity';
import type { ApplicationFailure } from '@temporalio/common';
import { classifyAtlasError } from '../atlas/outcomes';
import type { Services } from '../config/services';
import { workflowIdFor, type Pair } from '../contract/workflow-id';
import { linkCheckSchema, type Activities } from '../shared/activities';
import { writeAttemptFailure, type AttemptFailure } from '../shared/attempt-failure';
import { classifyDeliveryError } from '../sinks/classify-delivery-error';
import { describeMissingPair, type Sink } from '../sinks/sink';
import { findRun } from '../temporal/describe-run';
import { findEarlierToken, type EarlierToken } from '../temporal/earlier-token';
import { withHeartbeats } from './heartbeat';
import { parseInput } from './parse-input';
import { temporalUnavailable } from './temporal-unavailable';

/**
 * Creates the activity that finds out whether a schedule should create a token. A sink that knows
 * the link of the source decides; else Atlas, which knows only the link of the organization.
 *
 * A retry is safe: it only reads.
 */
export function checkLinkActivity(
  { atlas, sinks, organizations }: Pick<Services, 'atlas' | 'sinks' | 'organizations'>,
  minimumTokenAgeMs: number,
): Activities['checkLink'] {
  return async function checkLink(input) {
    const check = parseInput(linkCheckSchema, input);
    const credential = organizations.credentialFor(check.orgId);
    const isPermitted = organizations.sinksFor(check.orgId).includes(check.sink);
    const sink = isPermitted ? sinks.get(check.sink) : undefined;
    // The next run reports all problems of the request at once.
    if (credential === null || !sink || describeMissingPair(check.sink, sink, check) !== null) {
      return {
        linked: false,
        recentToken: false,
        lastTokenAt: check.lastTokenAt,
        tokenRunId: null,
      };
    }

    return withHeartbeats(async () => {
      const linked = await isLinked(check, credential, sink);
      const workflowId = workflowIdFor(check);
      const token = await findNewestToken(workflowId);
      const lastTokenAt = token?.receipt?.createdAt ?? check.lastTokenAt;
      // A time of Temporal: the clock of this worker may be wrong.
      const nowMs = Context.current().info.currentAttemptScheduledTimestampMs;
      // A forged time far in the future is not recent either.
      const isRecent = (time: Date) => Math.abs(nowMs - time.getTime()) < minimumTokenAgeMs;
      const recentToken = lastTokenAt !== null && isRecent(new Date(lastTokenAt));
      return { linked, recentToken, lastTokenAt, tokenRunId: token?.runId ?? null };
    });
  };

  async function isLinked({ orgId, sourceOrgId }: Pair, credential: string, sink: Sink) {
    if (sourceOrgId && sink.isLinked) {
      return sink
        .isLinked(sourceOrgId, Context.current().cancellationSignal)
        .catch(throwSinkFailure);
    }
    return atlas.isLinked(orgId, credential).catch(throwAtlasFailure);
  }
}

/** Finds the token of the newest run of the pair that has one. */
async function findNewestToken(workflowId: string): Promise<EarlierToken | null> {
  const { client } = Context.current();
  try {
    const newestRun = await findRun(client, { workflowId });
    return await findEarlierToken(client, workflowId, { newestRun });
  } catch (error) {
    throw temporalUnavailable(error, workflowId);
  }
}

function throwAtlasFailure(error: unknown): never {
  throw writeCheckFailure(classifyAtlasError(error, 'availableProjects'));
}

function throwSinkFailure(error: unknown): never {
  throw writeCheckFailure(classifyDeliveryError(error));
}

/**
 * Writes the failure of a check. Temporal retries it by the retry policy, unless Atlas or the sink
 * requested a wait.
 */
function writeCheckFailure(failure: AttemptFailure<string>): ApplicationFailure {
  return writeAttemptFailure(failure, failure.retryAfterMs);
}
