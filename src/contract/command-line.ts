import { shellQuote } from './printable';

const USUAL_ID = /^live-migration-prep\/([a-f0-9]{24})(?:\/([a-f0-9]{24}))?$/;

/** A command of this product for one run, as a person can paste it into a shell. */
export function commandLine(command: string, workflowId: string, ...options: string[]): string {
  const [, org, sourceOrg] = USUAL_ID.exec(workflowId) ?? [];
  const target = org
    ? ['--org', org, ...(sourceOrg ? ['--source-org', sourceOrg] : [])]
    : ['--workflow-id', shellQuote(workflowId)];
  return ['live-migration-prep', command, ...target, ...options].join(' ');
}

/** The command that lists the attempts of an organization that may have created a token. */
export function reportCommand(workflowId: string): string {
  const [, org] = USUAL_ID.exec(workflowId) ?? [];
  return `live-migration-prep list --unconfirmed${org ? ` --org ${org}` : ''}`;
}
