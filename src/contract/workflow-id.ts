/**
 * Builds the workflow id of a pair of organizations: the Atlas organization and, if any, the source
 * organization.
 *
 * @throws TypeError when `sourceOrgId` is empty: the id would be that of another pair.
 */
export function workflowIdFor(orgId: string, sourceOrgId?: string | null): string {
  if (sourceOrgId === '') throw new TypeError('sourceOrgId is empty: leave it out or pass null');
  return sourceOrgId
    ? `live-migration-prep/${orgId}/${sourceOrgId}`
    : `live-migration-prep/${orgId}`;
}

const WORKFLOW_ID = /^live-migration-prep\/([a-f0-9]{24})(?:\/([a-f0-9]{24}))?$/;

/** Reads the organizations in the workflow id of a pair; null for any other id. */
export function parseWorkflowId(
  workflowId: string,
): { orgId: string; sourceOrgId: string | undefined } | null {
  const [, orgId, sourceOrgId] = WORKFLOW_ID.exec(workflowId) ?? [];
  return orgId === undefined ? null : { orgId, sourceOrgId };
}
