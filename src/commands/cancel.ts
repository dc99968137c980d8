import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { resolveWorkflowId, targetCommand } from './cli/options';

export const cancelCommand = ({ withTemporal }: ProgramContext) =>
  targetCommand('cancel')
    .description('cancel a run; a token that still arrives gets one delivery attempt')
    .addHelpText(
      'after',
      formatExamples('cancel --org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed0000005c05'),
    )
    .action(async (options) => {
      const workflowId = resolveWorkflowId(options);
      const { requestCancellation } = await import('./runs/request-cancellation.js');
      await withTemporal((context) => requestCancellation(context, workflowId));
    });
