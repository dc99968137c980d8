import { shellQuote } from './text';

const USUAL_ID = /^live-migration-prep\/([a-f0-9]{24})(?:\/([a-f0-9]{24}))?$/;

/** Formats a command for one run, to paste into a shell. */
export function commandLine(command: string, workflowId: string, ...options: string[]): string {
  return ['live-migration-prep', command, ...targetOptions(workflowId), ...options].join(' ');
}

function targetOptions(workflowId: string): string[] {
  const [, org, sourceOrg] = USUAL_ID.exec(workflowId) ?? [];
  if (!org) return ['--workflow-id', shellQuote(workflowId)];
  if (!sourceOrg) return ['--org', org];
  return ['--org', org, '--source-org', sourceOrg];
}

export function reportCommand(workflowId: string): string {
  const [, org] = USUAL_ID.exec(workflowId) ?? [];
  return `live-migration-prep list --unconfirmed${org ? ` --org ${org}` : ''}`;
}

/**
 * Formats the command of Temporal's own CLI that makes a version of a worker deployment current.
 *
 * @param buildId null for the workers without a version.
 */
export function setCurrentVersionCommand(
  namespace: string,
  deploymentName: string,
  buildId: string | null,
): string {
  const version = buildId === null ? '--unversioned' : `--build-id ${shellQuote(buildId)}`;
  return (
    `temporal worker deployment set-current-version --namespace ${shellQuote(namespace)}` +
    ` --deployment-name ${shellQuote(deploymentName)} ${version}`
  );
}
