/**
 * The organizations of a token, of which there is one run at a time: the Atlas organization and, if
 * it is named, the source organization.
 */
export interface Pair {
  orgId: string;
  sourceOrgId?: string | null | undefined;
}

/**
 * Builds the workflow id of a pair of organizations, such as that of a request.
 *
 * @throws TypeError when `sourceOrgId` is empty: the id would be that of another pair.
 */
export function workflowIdFor({ orgId, sourceOrgId }: Pair): string {
  if (sourceOrgId === '') throw new TypeError('sourceOrgId is empty: leave it out or pass null');
  return sourceOrgId ? `${PREFIX}${orgId}/${sourceOrgId}` : `${PREFIX}${orgId}`;
}

const PREFIX = 'live-migration-prep/';

const WORKFLOW_ID = /^live-migration-prep\/([a-f0-9]{24})(?:\/([a-f0-9]{24}))?$/;

/** Reads the pair in a workflow id; null for any other id. */
export function parseWorkflowId(workflowId: string): Pair | null {
  const [, orgId, sourceOrgId] = WORKFLOW_ID.exec(workflowId) ?? [];
  return orgId === undefined ? null : { orgId, sourceOrgId };
}

const BEGINS_WITH_ORG_ID = /^[a-f0-9]{24}(\/|$)/;

/** Names a run as commands print it: by its organizations, or by its workflow id if it has none. */
export function shortName(workflowId: string): string {
  const name = workflowId.startsWith(PREFIX) ? workflowId.slice(PREFIX.length) : '';
  return BEGINS_WITH_ORG_ID.test(name) ? name : workflowId;
}

/** Reads what {@link shortName} returns, or a workflow id. */
export function workflowIdOf(name: string): string {
  return BEGINS_WITH_ORG_ID.test(name) ? PREFIX + name : name;
}

/** Builds the workflow id of the revocation of a token, by which a repetition is the same run. */
export function revocationIdFor({
  orgId,
  publicApiKey,
}: {
  orgId: string;
  publicApiKey: string;
}): string {
  return `live-migration-prep/${orgId}/revoke/${publicApiKey}`;
}

/** Builds the static summary for a start, which the Temporal UI shows. */
export function summaryFor({ orgId, sourceOrgId }: Pair): string {
  const source = sourceOrgId ? ` for source organization ${sourceOrgId}` : '';
  return `create a link-token of ${orgId}${source}`;
}
