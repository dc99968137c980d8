import type { Command } from 'commander';
import { workflowIdFor } from '../contract/names';
import { organizationId } from '../contract/schemas';
import { CommandError, EXIT_CODES } from './command-error';

/** Options that name a run. */
export interface TargetOptions {
  org?: string;
  sourceOrg?: string;
  workflowId?: string;
}

export function addTargetOptions(command: Command): Command {
  return command
    .option('--org <id>', 'Atlas organization of the run')
    .option('--source-org <id>', 'source organization of the run')
    .option('--workflow-id <id>', 'workflow id, for a run that a schedule or another client named');
}

/** @throws CommandError when the options name no run. */
export function workflowIdOf({ org, sourceOrg, workflowId }: TargetOptions): string {
  if (workflowId) return workflowId;
  if (!org) throw new CommandError('name the run: --org, or --workflow-id', EXIT_CODES.usage);
  for (const [option, id] of Object.entries({ '--org': org, '--source-org': sourceOrg })) {
    const parsed = organizationId.optional().safeParse(id);
    if (parsed.success) continue;
    throw new CommandError(`${option} ${parsed.error.issues[0]?.message ?? ''}`, EXIT_CODES.usage);
  }
  return workflowIdFor(org, sourceOrg);
}
