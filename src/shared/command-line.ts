import { parseWorkflowId } from '../contract/workflow-id';
import { shellQuote } from './text';

/** Formats a command for one run, to paste into a shell. */
export function commandLine(command: string, workflowId: string, ...options: string[]): string {
  return ['live-migration-prep', command, ...targetOptions(workflowId), ...options].join(' ');
}

function targetOptions(workflowId: string): string[] {
  const pair = parseWorkflowId(workflowId);
  if (pair === null) return ['--workflow-id', shellQuote(workflowId)];
  const { orgId, sourceOrgId } = pair;
  return sourceOrgId ? ['--org', orgId, '--source-org', sourceOrgId] : ['--org', orgId];
}

export function reportCommand(workflowId: string): string {
  const pair = parseWorkflowId(workflowId);
  return `live-migration-prep list --unconfirmed${pair ? ` --org ${pair.orgId}` : ''}`;
}
