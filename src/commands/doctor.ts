import { Command, Option } from '@commander-js/extra-typings';
import type { Finding } from '../contract/schemas';
import { formatCount } from '../shared/text';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { ProgramContext } from './cli/context';
import { describeFindings } from './cli/describe-findings';
import { formatExamples } from './cli/help';
import type { Output } from './cli/output';

export const doctorCommand = ({ env, output, withTemporal }: ProgramContext) =>
  new Command('doctor')
    .description("check a worker's configuration and all that it uses; run it on the worker's host")
    .option('--config <file>', 'configuration file of the worker')
    .addOption(
      new Option('--remote', 'let a running worker check itself; needs no configuration').conflicts(
        'config',
      ),
    )
    .addHelpText(
      'after',
      formatExamples('doctor --config live-migration-prep.yaml', 'doctor --remote'),
    )
    .action(async ({ config, remote }) => {
      if (remote) {
        const { requestWorkerCheck, requireListedWorker } = await import('./runs/remote-check.js');
        return withTemporal(async (context) => {
          await requireListedWorker(context);
          const { findings, worker } = await requestWorkerCheck(context);
          report(findings, output(), worker);
        });
      }
      const { checkInstallation } = await import('../doctor/check-installation.js');
      report(await checkInstallation(await env(), config), output());
    });

/** @throws CommandError when a check found an error. */
function report(results: readonly Finding[], output: Output, worker?: string): void {
  if (worker !== undefined) output.say(`worker ${worker} checked itself`);
  const findings = results.map(({ check, state, message }) => ({ check, state, message }));
  const count = (state: Finding['state']) =>
    findings.filter((finding) => finding.state === state).length;
  const lines = describeFindings(findings);
  const errors = count('error');
  const problems = `${formatCount(errors, 'error')}, ${formatCount(count('warning'), 'warning')}`;
  const checks = formatCount(findings.length, 'check');
  const summary = `${checks}, ${problems}; nothing was changed, and no link-token was created`;
  if (errors > 0) {
    output.say(...lines);
    throw new CommandError(summary, EXIT_CODES.failed, { findings, worker });
  }
  output.print({ findings, worker }, [...lines, summary]);
}
