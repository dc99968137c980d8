import { Command } from '@commander-js/extra-typings';
import type { ScheduleOptions, ScheduleSpec } from '@temporalio/client';
import type { PrepareRequest, ScheduledRequest } from '../../contract/schemas';
import { workflowIdFor } from '../../contract/workflow-id';
import { WORKFLOW_TYPES } from '../../contract/workflows';
import { shellQuote } from '../../shared/text';
import { refusalError, usageError } from '../cli/command-error';
import type { CommandContext, ProgramContext } from '../cli/context';
import { formatExamples } from '../cli/help';
import { collect, parseDuration, parseNonEmpty, parseTime } from '../cli/option-parsers';
import { requestCommand } from '../shared/options';

export const scheduleCommand = ({ stdin, withTemporal }: ProgramContext) =>
  new Command('schedule').description('create schedules that renew tokens').addCommand(
    createCommand().action(async (options) => {
      const { makeRequest } = await import('../shared/request.js');
      const request = await makeRequest(options, 'no schedule was created', stdin);
      await withTemporal((context) => createSchedule(context, request, options));
    }),
  );

type CreateOptions = ReturnType<ReturnType<typeof createCommand>['opts']>;

const createCommand = () =>
  requestCommand('create')
    .description(
      'create a schedule that creates a token' +
        ' when the source is not linked and has no recent token',
    )
    .requiredOption(
      '--cron <expression>',
      'cron expression, such as "0 6 * * 1"; repeatable (required)',
      collect,
    )
    .option('--timezone <name>', 'time zone of the cron expressions, such as Europe/Dublin')
    .option(
      '--schedule-id <id>',
      'id of the schedule, instead of the workflow id of the pair',
      parseNonEmpty,
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
    .option('--note <text>', 'note that Temporal shows with the schedule; a pause replaces it')
    .option('--always', 'create a token each time, even while the source is linked')
    .addHelpText(
      'after',
      formatExamples(
        'schedule create --org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed0000005c05' +
          ' --no-access-list --sink drop --cron "0 6 * * 1"',
      ),
    );

/** Temporal makes up for a time that it missed by less than this. */
const CATCH_UP_MS = 600_000;

/**
 * Creates a Temporal Schedule of `prepareOnSchedule`, which runs `prepareLiveMigration` under the
 * usual id of the pair. Temporal appends a time to the workflow id of each scheduled run.
 */
async function createSchedule(
  context: CommandContext,
  request: PrepareRequest,
  options: CreateOptions,
): Promise<void> {
  const { client, taskQueue, output } = context;
  const { cron, timezone, jitter, until, note, always } = options;
  const workflowId = workflowIdFor(request);
  const scheduleId = options.scheduleId ?? workflowId;
  const { ScheduleAlreadyRunning } = await import('@temporalio/client');
  const { checkRequestRemotely, waitForAnswer } = await import('../shared/remote-check.js');
  const check = checkRequestRemotely(context, request, 'no schedule was created');
  await waitForAnswer(context, check);
  const spec: ScheduleSpec = { cronExpressions: cron };
  if (timezone) spec.timezone = timezone;
  if (jitter !== undefined) spec.jitter = jitter;
  if (until) spec.endAt = until;
  const scheduledRequest: ScheduledRequest = always ? { request, always } : { request };
  const schedule: ScheduleOptions = {
    scheduleId,
    spec,
    action: {
      type: 'startWorkflow',
      workflowType: WORKFLOW_TYPES.prepareOnSchedule,
      // No pair of organizations has such an id.
      workflowId: `${workflowId}/schedule`,
      taskQueue,
      args: [scheduledRequest],
    },
    // Any other policy would create several tokens, at once or one after another.
    policies: { overlap: 'SKIP', catchupWindow: CATCH_UP_MS, pauseOnFailure: true },
  };
  if (note) schedule.state = { note };
  const handle = await client.schedule.create(schedule).catch((error: unknown) => {
    // The SDK reports a schedule that the server refuses as a TypeError.
    if (error instanceof TypeError) {
      throw usageError(
        `Temporal rejected the schedule (${error.message}): correct --cron or --timezone`,
      );
    }
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    throw refusalError(
      `schedule ${scheduleId} exists: to change it, delete it first with:` +
        ` temporal schedule delete --schedule-id ${shellQuote(scheduleId)};` +
        ' or name another with --schedule-id',
      { scheduleId, type: 'ScheduleExists' },
    );
  });
  // `temporal schedule describe` names no run that has ended.
  const query = `TemporalScheduledById = ${JSON.stringify(scheduleId)}`;
  const seeRuns = `see its runs: temporal workflow list --query ${shellQuote(query)}`;
  output.setFollowUp(`schedule ${scheduleId} was created; ${seeRuns}`);
  // Only the server reads the cron expressions.
  const [nextTime] = (await handle.describe()).info.nextActionTimes;
  if (!nextTime) {
    await handle.delete();
    throw usageError(
      `no time matches --cron${until ? ' before --until' : ''}: correct it;` +
        ' no schedule was created',
    );
  }
  const nextAt = nextTime.toISOString();
  output.print({ scheduleId, nextAt }, [
    `created schedule ${scheduleId}`,
    `next time: ${nextAt}`,
    always
      ? 'it creates a token each time, whether or not one is in use'
      : 'it creates a token when the source is not linked and has no recent token',
    seeRuns,
  ]);
}
