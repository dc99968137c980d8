import { Context } from '@temporalio/activity';
import type { AdminApi } from '../atlas/admin-api';
import { classifyAtlasError } from '../atlas/outcomes';
import type { Organizations } from '../config/organizations';
import type { Activities } from '../contract/activities';
import { WORKFLOW_TYPES, revocationIdFor } from '../contract/names';
import { revokeRequestSchema } from '../contract/schemas';
import { noCredential } from './check-configured';
import { invalidRequest, repeatableCallFailure } from './failures';
import { parseInput, requireRun } from './guards';
import { withHeartbeats } from './heartbeat';

/**
 * Removes the link of an Atlas organization and its API key.
 *
 * A retry is safe: without a link, Atlas removes nothing and says so.
 */
export function removeLinkActivity(atlas: AdminApi, organizations: Organizations): Activities['removeLink'] {
  return async function removeLink(input) {
    const { orgId } = parseInput(revokeRequestSchema, input);
    requireRun(Context.current().info, WORKFLOW_TYPES.revokeLink, revocationIdFor(orgId));
    const credential = organizations.credentialFor(orgId);
    if (credential === null) throw invalidRequest([noCredential(orgId)]);
    const removed = await withHeartbeats(() => atlas.removeLink(orgId, credential)).catch(
      (error: unknown) => {
        throw repeatableCallFailure(classifyAtlasError(error, 'removeLink'));
      },
    );
    const finishedAt = new Date().toISOString();
    return { orgId, outcome: removed ? 'removed' : 'noLink', credential, finishedAt };
  };
}
