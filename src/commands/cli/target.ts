import { workflowIdFor } from '../../contract/names';
import { CommandError, EXIT_CODES } from './command-error';
import type { TargetOptions } from './options';

/** @throws CommandError when the options name no run. */
export function workflowIdOf({ org, sourceOrg, workflowId }: TargetOptions): string {
  if (workflowId) return workflowId;
  if (!org) throw new CommandError('name the run with --org, or with --workflow-id', EXIT_CODES.usage);
  return workflowIdFor(org, sourceOrg);
}
