import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import {
  classifyAtlasError,
  notListedYet,
  revocationRefused,
  type AtlasError,
  type AtlasFailure,
} from '../atlas/outcomes';
import type { Services } from '../config/services';
import { revocationSchema } from '../contract/schemas';
import { workflowIdFor } from '../contract/workflow-id';
import { WORKFLOW_TYPES } from '../contract/workflows';
import type { Activities, Backoff } from '../shared/activities';
import { isOfOrganization, listRuns, type RunInfo } from '../temporal/list-runs';
import { writeRetryableFailure } from './attempt-retries';
import { withHeartbeats } from './heartbeat';
import { parseCallersInput } from './parse-input';
import { temporalUnavailable } from './temporal-unavailable';

/**
 * Atlas's list was recorded up to three seconds behind: a key that is younger than this may exist
 * though it is not listed.
 */
const LISTED_AFTER_MS = 30_000;

/**
 * Creates the activity that deletes the API key of a link-token. Anyone who may start work in the
 * namespace can call it: what it deletes is fenced by Atlas's own description of the key.
 *
 * A retry is safe: it finds the key gone.
 *
 * @param isPermitted false if these workers may delete no key.
 */
export function revokeLinkTokenActivity(
  { atlas, organizations }: Pick<Services, 'atlas' | 'organizations'>,
  backoff: Backoff,
  isPermitted: boolean,
): Activities['revokeLinkToken'] {
  return async function revokeLinkToken(input) {
    const { info, client } = Context.current();
    const { orgId, publicApiKey, createdAt } = parseCallersInput(revocationSchema, input);
    // A run revokes its own token; the request of that run has passed the checks of validation.
    const isOfRun = info.workflowType === WORKFLOW_TYPES.prepare;
    const open = isOfRun ? null : await findOpenRun(client, orgId, publicApiKey);
    try {
      if (open) throw isInUse(publicApiKey, open);
      const deleteIt = 'delete the API key in Atlas';
      if (!isPermitted) {
        throw revocationRefused(`atlas.revocation of these workers is false: ${deleteIt}`);
      }
      const credential = organizations.credentialFor(orgId);
      if (credential === null) {
        const message = `these workers have no credential for organization ${orgId}: ${deleteIt}`;
        throw revocationRefused(message, !isOfRun);
      }
      const deletion = await withHeartbeats(() =>
        atlas.deleteLinkTokenKey(orgId, publicApiKey, credential),
      );
      const isYoung = isYoungerThan(LISTED_AFTER_MS, createdAt, info);
      if (deletion.outcome === 'gone' && isYoung) {
        throw notListedYet(`Atlas does not list API key ${publicApiKey}, and may not yet do so`);
      }
      return { orgId, publicApiKey, ...deletion, at: new Date().toISOString() };
    } catch (error) {
      const failure = keepTrying(classifyAtlasError(error, 'deleteApiKey'));
      throw writeRetryableFailure(failure, { info, failureCount: info.attempt, backoff });
    }
  };
}

/** Only a refusal is final: a worker that cannot reach Atlas leaves the key to another worker. */
function keepTrying(failure: AtlasFailure): AtlasFailure {
  return failure.type === 'AtlasUnavailable' ? { ...failure, permanent: false } : failure;
}

/** By Temporal's clock. */
function isYoungerThan(
  ageMs: number,
  createdAt: string | null | undefined,
  { currentAttemptScheduledTimestampMs: nowMs }: { currentAttemptScheduledTimestampMs: number },
): boolean {
  return createdAt != null && Math.abs(nowMs - Date.parse(createdAt)) < ageMs;
}

/** Refuses the key of a run that is open: its token may be on its way to a sink. */
function isInUse(publicApiKey: string, { workflowId, runId }: RunInfo): AtlasError {
  return revocationRefused(
    `API key ${publicApiKey} is that of run ${runId} of ${workflowId}, which is open:` +
      ' cancel that run, which revokes its token, or wait until it is delivered',
  );
}

/**
 * Finds the open run that has the token of an API key, by its memo; null without one.
 *
 * @throws ApplicationFailure of type TemporalUnavailable.
 */
async function findOpenRun(
  client: Client,
  orgId: string,
  publicApiKey: string,
): Promise<RunInfo | null> {
  try {
    const runs = listRuns(client, null, isOfOrganization(orgId), 'CloseTime IS NULL');
    for await (const run of runs) if (run.memo.publicApiKey === publicApiKey) return run;
    return null;
  } catch (error) {
    throw temporalUnavailable(error, workflowIdFor({ orgId }));
  }
}
