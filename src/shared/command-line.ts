import { parseWorkflowId } from '../contract/workflow-id';
import { shellQuote } from './text';

/**
 * Says what to do about a token that may not have arrived.
 *
 * @param publicApiKey of its API key, if known.
 * @param sinksTried those that may have it.
 */
export function deleteKeyOf(
  publicApiKey?: string | null,
  sinksTried: readonly string[] = [],
): string {
  const key = publicApiKey ? ` ${publicApiKey}` : '';
  const remedy = `delete its API key${key} in Atlas, which \`live-migration-prep api-keys\` finds`;
  if (sinksTried.length === 0) return remedy;
  return `look in sink ${sinksTried.join(', ')} first; if the token is not there, ${remedy}`;
}

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

/**
 * Formats the command of Temporal's CLI that makes a version of a worker deployment current, or,
 * without a build id, the unversioned workers.
 */
export function setCurrentVersionCommand(
  namespace: string,
  deploymentName: string,
  buildId?: string | null,
): string {
  const version = buildId ? `--build-id ${shellQuote(buildId)}` : '--unversioned';
  return (
    `temporal worker deployment set-current-version --namespace ${shellQuote(namespace)}` +
    ` --deployment-name ${shellQuote(deploymentName)} ${version}`
  );
}
