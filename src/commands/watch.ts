import type { ProgramContext } from './cli/context';
import { resolveWorkflowId, targetCommand } from './runs/options';

export const watchCommand = ({ withTemporal }: ProgramContext) =>
  targetCommand('watch')
    .description('follow a run until it ends or is undelivered')
    .action(async (options) => {
      const workflowId = resolveWorkflowId(options);
      const { watch } = await import('./runs/follow.js');
      await withTemporal((context) => watch(context, { workflowId }));
    });
