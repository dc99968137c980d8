import type { Client, ScheduleDescription } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time';
import { pMapIterable, pMapSkip } from 'p-map';
import { WORKFLOW_TYPES } from '../contract/names';
import type { PrepareRequest, ScheduledResult } from '../contract/schemas';
import { nullIfNotFound } from '../temporal/grpc';
import { cronExpressionsOf } from '../temporal/cron';
import { describeRows } from './cli/output';
import type { CommandContext } from './cli/temporal';
import { readEnding, readResult, valuesIn, type RunRef } from '../temporal/run-history';
import { READ_CONCURRENCY, isOpen } from './runs/find-runs';

interface ListedSchedule {
  scheduleId: string;
  /** Null, like the others of the request, where the input of the schedule has a foreign encoding. */
  orgId: string | null;
  sourceOrgId: string | null;
  sink: string | null;
  always: boolean;
  cron: string[];
  except: string[];
  timezone: string | null;
  paused: boolean;
  /** Temporal writes the reason of a pause here. */
  note: string | null;
  /** RFC 3339; null while paused, and after the end. */
  nextAt: string | null;
  lastAt: string | null;
  /** Of the last run: that of `prepareOnSchedule`, a failure type, `running`; null when there is none any more. */
  lastOutcome: string | null;
}

/** Prints the schedules of `prepareOnSchedule` on a task queue. */
export async function listSchedules({ client, taskQueue, output }: CommandContext): Promise<void> {
  const read = (scheduleId: string) => readSchedule(client, scheduleId, taskQueue);
  const listed = pMapIterable(idsOf(client), read, { concurrency: READ_CONCURRENCY });
  let count = 0;
  for await (const schedule of listed) {
    count += 1;
    output.print(schedule, linesOf(schedule));
  }
  output.say(`${count} schedule(s)`);
  output.note('the list may lag by a moment');
}

/** The calls of the SDK fail at a payload that they cannot decode, and anybody can create a schedule. */
async function* idsOf({ workflowService, options: { namespace } }: Client): AsyncGenerator<string> {
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const page = await workflowService.listSchedules({ namespace, nextPageToken });
    for (const { scheduleId, info } of page.schedules) {
      // Of a schedule that was just created, the list does not have the action yet.
      const type = info?.workflowType?.name ?? WORKFLOW_TYPES.prepareOnSchedule;
      if (scheduleId && type === WORKFLOW_TYPES.prepareOnSchedule) yield scheduleId;
    }
    ({ nextPageToken } = page);
  } while (nextPageToken.length > 0);
}

/** @returns pMapSkip when it is not ours, or gone. */
async function readSchedule(
  client: Client,
  scheduleId: string,
  taskQueue: string,
): Promise<ListedSchedule | typeof pMapSkip> {
  const { workflowService, options } = client;
  const described = await workflowService
    .describeSchedule({ namespace: options.namespace, scheduleId })
    .catch(nullIfNotFound);
  const { spec, action, state } = described?.schedule ?? {};
  const start = action?.startWorkflow;
  if (start?.workflowType?.name !== WORKFLOW_TYPES.prepareOnSchedule) return pMapSkip;
  if (start.taskQueue?.name !== taskQueue) return pMapSkip;
  const [input] = valuesIn(start.input) as [{ request?: Partial<PrepareRequest>; always?: boolean }?];
  const { orgId = null, sourceOrgId = null, sink = null } = input?.request ?? {};
  const paused = state?.paused ?? false;
  const [nextAt] = described?.info?.futureActionTimes ?? [];
  return {
    scheduleId,
    orgId,
    sourceOrgId,
    sink,
    always: input?.always ?? false,
    ...cronExpressionsOf(spec ?? {}),
    timezone: spec?.timezoneName || null,
    paused,
    note: state?.notes || null,
    nextAt: paused ? null : textOf(nextAt),
    ...(await lastOf(client, described?.info?.recentActions?.at(-1))),
  };
}

type Info = NonNullable<ScheduleDescription['raw']['info']>;

async function lastOf(
  client: Client,
  last: NonNullable<Info['recentActions']>[number] | undefined,
): Promise<Pick<ListedSchedule, 'lastAt' | 'lastOutcome'>> {
  const { workflowId, runId } = last?.startWorkflowResult ?? {};
  if (!workflowId || !runId) return { lastAt: null, lastOutcome: null };
  return { lastAt: textOf(last?.actualTime), lastOutcome: await outcomeOf(client, { workflowId, runId }) };
}

async function outcomeOf(client: Client, run: RunRef): Promise<string | null> {
  const { workflowId, runId } = run;
  const description = await client.workflow.getHandle(workflowId, runId).describe().catch(nullIfNotFound);
  if (!description) return null;
  if (isOpen(description)) return 'running';
  const { name } = description.status;
  if (name !== 'COMPLETED') return (await readEnding(client, run))?.type ?? name.toLowerCase();
  const result = (await readResult(client, run)) as Partial<ScheduledResult> | null | undefined;
  return result?.outcome ?? null;
}

function textOf(time: Parameters<typeof optionalTsToDate>[0]): string | null {
  return optionalTsToDate(time)?.toISOString() ?? null;
}

function linesOf(schedule: ListedSchedule): string[] {
  const { scheduleId, orgId, sourceOrgId, sink, cron, except, timezone, note, nextAt, lastAt } = schedule;
  const rows = describeRows([
    ['pair', [orgId ?? 'unknown', sourceOrgId].filter(Boolean).join(' / ')],
    ['sink', `${sink ?? 'unknown'}${schedule.always ? '; creates a token each time (--always)' : ''}`],
    [
      'when',
      `${[...cron, ...except.map((times) => `except ${times}`)].join(', ')}${timezone ? ` (${timezone})` : ''}`,
    ],
    ['next', schedule.paused ? 'paused' : (nextAt ?? 'never again')],
    ['last', lastAt ? `${lastAt} ${schedule.lastOutcome ?? 'unknown: its history is gone'}` : 'never'],
    ...(note ? [['note', note] as const] : []),
  ]);
  return [scheduleId, ...rows];
}
