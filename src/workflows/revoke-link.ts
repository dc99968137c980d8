import { log } from '@temporalio/workflow';
import type { RevokeRequest, RevokeResult } from '../contract/schemas';
import { failureOfActivity } from './failures';
import { repeatable } from './proxies';

/**
 * Removes the link of an Atlas organization and its API key, whichever token made it. Its history records who
 * requested it.
 *
 * @throws ApplicationFailure of type InvalidRequest, AtlasRequestRejected, AtlasResponseInvalid or AtlasUnavailable.
 */
export async function revokeLink(request: RevokeRequest): Promise<RevokeResult> {
  try {
    const result = await repeatable('remove the link of the organization').removeLink(request);
    log.info('link removed', { orgId: result.orgId, outcome: result.outcome });
    return result;
  } catch (error) {
    throw failureOfActivity(error);
  }
}
