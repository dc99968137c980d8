import { parseWorkflowId, shortName } from '../contract/workflow-id';
import { formatCount, shellQuote } from './text';

/**
 * Says what to do about a token that a run left, and that may not have arrived.
 *
 * @param publicApiKey of its API key, if known.
 * @param sinksTried those that may have it; null if they are not known.
 */
export function describeRemedy(
  workflowId: string,
  publicApiKey: string | null | undefined,
  sinksTried: readonly string[] | null,
): string {
  const orgId = parseWorkflowId(workflowId)?.orgId;
  const remedy =
    publicApiKey && orgId
      ? `revoke it: \`${revokeCommand(orgId, publicApiKey)}\``
      : 'delete its API key in Atlas, which `live-migration-prep api-keys` finds';
  if (sinksTried?.length === 0) return remedy;
  const place = sinksTried ? `sink ${sinksTried.join(', ')}` : 'the sink of its request';
  return `look in ${place} first; if the token is not there, ${remedy}`;
}

/** Says what a count of unconfirmed tokens means, before the command that finds their keys. */
export function describeUnconfirmedTokens(count: number): string {
  return (
    `Atlas may have created up to ${formatCount(count, 'unconfirmed token')},` +
    ' which the run never received, each with an API key; an hour later, this finds the keys'
  );
}

/** Formats the command that finds the API keys that a run left. */
export function findKeysCommand(workflowId: string): string {
  const orgId = parseWorkflowId(workflowId)?.orgId ?? '<id>';
  return (
    `atlas organizations apiKeys list --orgId ${orgId} --limit 500 --output json |` +
    ` live-migration-prep api-keys --org ${orgId} --keys -`
  );
}

function revokeCommand(orgId: string, publicApiKey: string): string {
  const token = JSON.stringify({ orgId, publicApiKey });
  return `echo '${token}' | live-migration-prep revoke --from -`;
}

/** Formats a command for one run, to paste into a shell. */
export function commandLine(
  command: 'watch' | 'redeliver' | 'cancel',
  workflowId: string,
  ...options: string[]
): string {
  const name = shellQuote(shortName(workflowId));
  return ['live-migration-prep', command, name, ...options].join(' ');
}

/** Formats the command that creates another token, without the options that the reader chooses. */
export function startAgainCommand(workflowId: string): string {
  const { orgId, sourceOrgId } = parseWorkflowId(workflowId) ?? {};
  const pair = [orgId && `--org ${orgId}`, sourceOrgId && `--source-org ${sourceOrgId}`];
  return ['live-migration-prep start', ...pair.filter(Boolean), '--again …'].join(' ');
}

/**
 * Formats the command of Temporal's CLI that makes a version of a worker deployment current, or,
 * without a build id, the unversioned workers.
 */
export function setCurrentVersionCommand({
  namespace,
  deploymentName,
  buildId,
}: {
  namespace: string;
  deploymentName: string;
  buildId?: string | null | undefined;
}): string {
  const version = buildId ? `--build-id ${shellQuote(buildId)}` : '--unversioned';
  return (
    `temporal worker deployment set-current-version --namespace ${shellQuote(namespace)}` +
    ` --deployment-name ${shellQuote(deploymentName)} ${version}`
  );
}
