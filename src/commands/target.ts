import { workflowIdFor } from '../contract/names';
import { shellWord } from '../contract/printable';
import { CommandError, EXIT_CODES } from './command-error';
import type { TargetOptions } from './options';

const USUAL_ID = /^live-migration-prep\/([a-f0-9]{24})(?:\/([a-f0-9]{24}))?$/;

/** @throws CommandError when the options name no run. */
export function workflowIdOf({ org, sourceOrg, workflowId }: TargetOptions): string {
  if (workflowId) return workflowId;
  if (!org) throw new CommandError('name the run with --org, or with --workflow-id', EXIT_CODES.usage);
  return workflowIdFor(org, sourceOrg);
}

/** A command line that a person can paste. */
export function commandLine(command: string, workflowId: string, ...options: string[]): string {
  const [, org, sourceOrg] = USUAL_ID.exec(workflowId) ?? [];
  const target = org
    ? ['--org', org, ...(sourceOrg ? ['--source-org', sourceOrg] : [])]
    : ['--workflow-id', shellWord(workflowId)];
  return ['live-migration-prep', command, ...target, ...options].join(' ');
}
