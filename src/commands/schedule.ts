import { Command } from '@commander-js/extra-typings';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { collect, parseDuration, parseNonEmpty, parseTime } from './cli/option-parsers';
import { requestCommand } from './cli/options';

export const scheduleCommand = ({ stdin, withTemporal }: ProgramContext) =>
  new Command('schedule')
    .description('create schedules that keep links up, pause and unpause them')
    .addCommand(
      createCommand().action(async (options) => {
        const [{ makeRequest }, { createSchedule }] = await Promise.all([
          import('./runs/make-request.js'),
          import('./runs/create-schedule.js'),
        ]);
        const request = await makeRequest(options, 'no schedule was created', stdin, {
          '--cron <expression>': options.cron,
        });
        await withTemporal((context) => createSchedule(context, request, options));
      }),
    )
    .addCommand(
      new Command('pause')
        .description('pause every schedule of the namespace')
        .requiredOption('--reason <text>', 'for the note of each schedule', parseNonEmpty)
        .addHelpText('after', formatExamples('schedule pause --reason "CHG-1042"'))
        .action(async ({ reason }) => {
          const { pauseSchedules } = await import('./runs/pause-schedules.js');
          await withTemporal((context) => pauseSchedules(context, reason));
        }),
    )
    .addCommand(
      new Command('unpause')
        .description('unpause every schedule of the namespace that a failed run paused')
        .option('--reason <text>', 'those that were paused with this reason instead', parseNonEmpty)
        .addHelpText('after', formatExamples('schedule unpause --reason "CHG-1042"'))
        .action(async ({ reason }) => {
          const { unpauseSchedules } = await import('./runs/pause-schedules.js');
          await withTemporal((context) => unpauseSchedules(context, reason));
        }),
    );

const createCommand = () =>
  requestCommand('create')
    .description(
      'create a schedule that creates a token' +
        ' when the source is not linked and has no recent token',
    )
    .option(
      '--cron <expression>',
      'such as "0 6 * * *" or "CRON_TZ=Europe/Dublin 0 6 * * *"; repeatable (required)',
      collect,
    )
    .option(
      '--jitter <duration>',
      'delay each start by a random time, at most this long',
      parseDuration,
    )
    .option(
      '--until <time>',
      'start nothing after this time, such as 2027-06-01T00:00:00Z',
      parseTime,
    )
    .option('--always', 'create a token each time, even while the source is linked')
    .addHelpText(
      'after',
      formatExamples(
        'schedule create --org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed0000005c05' +
          ' --no-access-list --sink drop --cron "0 6 * * *"',
      ),
    );
