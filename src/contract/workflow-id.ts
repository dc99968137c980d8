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
  return sourceOrgId
    ? `live-migration-prep/${orgId}/${sourceOrgId}`
    : `live-migration-prep/${orgId}`;
}

const WORKFLOW_ID = /^live-migration-prep\/([a-f0-9]{24})(?:\/([a-f0-9]{24}))?$/;

/** Reads the pair in a workflow id; null for any other id. */
export function parseWorkflowId(workflowId: string): Pair | null {
  const [, orgId, sourceOrgId] = WORKFLOW_ID.exec(workflowId) ?? [];
  return orgId === undefined ? null : { orgId, sourceOrgId };
}

/** Names a run as lists print it: a workflow id without what all of them begin with. */
export function shortName(workflowId: string): string {
  return workflowId.replace(/^live-migration-prep\//, '');
}

/** Builds the static summary for a start, which the Temporal UI shows. */
export function summaryFor({ orgId, sourceOrgId }: Pair): string {
  const source = sourceOrgId ? ` for source organization ${sourceOrgId}` : '';
  return `create a link-token of ${orgId}${source}`;
}
