import type { PrepareRequest } from '../contract/schemas';

/** Summary and details that the Temporal UI shows beside a run. */
export function staticMetadata(request: PrepareRequest) {
  const { orgId, sourceOrgId, sink, accessListIps, requestedBy, changeReference } = request;
  const details = [
    `Atlas organization: ${orgId}`,
    `Source organization: ${sourceOrgId ?? 'not named'}`,
    `Access list: ${accessListIps.length} entries`,
    `Sink: ${sink}`,
    requestedBy && `Requested by (a claim): ${requestedBy}`,
    changeReference && `Change: ${changeReference}`,
  ];
  return {
    staticSummary: `Link-token for ${orgId} into ${sink}`,
    staticDetails: details.filter(Boolean).join('  \n'),
  };
}
