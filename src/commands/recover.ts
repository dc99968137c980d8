import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { parseRunId, parseSinkName } from './cli/option-parsers';
import { requireOptions, resolveWorkflowId, targetCommand } from './cli/options';

export const recoverCommand = ({ withTemporal }: ProgramContext) =>
  targetCommand('recover')
    .description('deliver the token of a closed run, by a new run that creates nothing')
    .option('--run-id <id>', 'the closed run that has the token (required)', parseRunId)
    .option('--sink <name>', "deliver to this sink instead of the request's", parseSinkName)
    .addHelpText(
      'after',
      formatExamples(
        'recover --org 64f1c0ffee5eed0000000a71 --run-id 01939c2e-8f4b-7c51-9d6e-2f0b1a3c4d5e',
      ),
    )
    .action(async ({ sink, ...options }) => {
      const { '--run-id <id>': runId } = requireOptions({
        '--org <id>, or --workflow-id <id>': options.org ?? options.workflowId,
        '--run-id <id>': options.runId,
      });
      const workflowId = resolveWorkflowId(options);
      const { startRecovery } = await import('./runs/start-recovery.js');
      await withTemporal((context) => startRecovery(context, { workflowId, runId }, sink));
    });
