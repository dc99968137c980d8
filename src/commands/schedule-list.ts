import {
  ScheduleNotFoundError,
  WorkflowNotFoundError,
  type Client,
  type ScheduleDescription,
} from '@temporalio/client';
import { ValueError } from '@temporalio/common';
import { pMapIterable } from 'p-map';
import { WORKFLOW_TYPES } from '../contract/names';
import { shortened } from '../contract/printable';
import type { PrepareRequest, ScheduledResult } from '../contract/schemas';
import { cronExpressionsOf } from './cron';
import type { Output } from './output';
import { readEnding } from './run-events';
import { READ_CONCURRENCY, isOpen } from './runs';

export interface ListedSchedule {
  scheduleId: string;
  orgId: string | null;
  sourceOrgId: string | null;
  sink: string | null;
  always: boolean;
  cron: string[];
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

/** Prints the schedules of `prepareOnSchedule` on a task queue. One whose input has a foreign encoding is named only. */
export async function listSchedules(client: Client, taskQueue: string, output: Output): Promise<void> {
  const read = (scheduleId: string) =>
    readSchedule(client, scheduleId, taskQueue).catch((error: unknown) => {
      if (!(error instanceof ValueError)) throw error;
      output.note(`schedule ${shortened(scheduleId)} cannot be read: ${shortened(error.message)}`);
      return null;
    });
  const listed = pMapIterable(idsOf(client), read, { concurrency: READ_CONCURRENCY });
  let count = 0;
  for await (const schedule of listed) {
    if (!schedule) continue;
    count += 1;
    output.print(schedule, linesOf(schedule));
  }
  output.say(`${count} schedule(s)`);
  output.note('the list lags behind by moments');
}

async function* idsOf(client: Client): AsyncGenerator<string> {
  for await (const { scheduleId, action } of client.schedule.list()) {
    // Of a schedule that was just created, the list does not have the action yet.
    if (!action || action.workflowType === WORKFLOW_TYPES.prepareOnSchedule) yield scheduleId;
  }
}

/** @returns null when it is not ours, or gone. */
async function readSchedule(
  client: Client,
  scheduleId: string,
  taskQueue: string,
): Promise<ListedSchedule | null> {
  const schedule = await client.schedule.getHandle(scheduleId).describe().catch(nullIfGone);
  if (schedule?.action.workflowType !== WORKFLOW_TYPES.prepareOnSchedule) return null;
  if (schedule.action.taskQueue !== taskQueue) return null;
  const { action, state, info, raw } = schedule;
  const [input] = (action.args ?? []) as [{ request?: Partial<PrepareRequest>; always?: boolean }?];
  const { orgId = null, sourceOrgId = null, sink = null } = input?.request ?? {};
  return {
    scheduleId,
    orgId,
    sourceOrgId,
    sink,
    always: input?.always ?? false,
    cron: cronExpressionsOf(raw.schedule?.spec ?? {}),
    timezone: schedule.spec.timezone || null,
    paused: state.paused,
    note: state.note || null,
    nextAt: (!state.paused && info.nextActionTimes[0]?.toISOString()) || null,
    ...(await lastOf(client, info)),
  };
}

async function lastOf(
  client: Client,
  { recentActions }: ScheduleDescription['info'],
): Promise<Pick<ListedSchedule, 'lastAt' | 'lastOutcome'>> {
  const last = recentActions.at(-1);
  if (!last) return { lastAt: null, lastOutcome: null };
  const { workflowId, firstExecutionRunId: runId } = last.action.workflow;
  const run = client.workflow.getHandle(workflowId, runId);
  const description = await run.describe().catch(nullIfGone);
  const outcome = async () => {
    if (!description) return null;
    if (isOpen(description)) return 'running';
    const { name } = description.status;
    if (name === 'COMPLETED')
      return ((await run.result()) as Partial<ScheduledResult> | null)?.outcome ?? null;
    return (await readEnding(client, { workflowId, runId }))?.type ?? name.toLowerCase();
  };
  return { lastAt: last.takenAt.toISOString(), lastOutcome: await outcome() };
}

function linesOf(schedule: ListedSchedule): string[] {
  const { scheduleId, orgId, sourceOrgId, sink, cron, timezone, note, nextAt, lastAt } = schedule;
  const rows = [
    ['pair', [orgId ?? 'unknown', sourceOrgId].filter(Boolean).join(' / ')],
    ['sink', `${sink ?? 'unknown'}${schedule.always ? '; creates a token each time (--always)' : ''}`],
    ['when', `${cron.join(', ')}${timezone ? ` (${timezone})` : ''}`],
    ['next', schedule.paused ? 'paused' : (nextAt ?? 'never again')],
    ['last', lastAt ? `${lastAt} ${schedule.lastOutcome ?? 'unknown: its history is gone'}` : 'never'],
    ...(note ? [['note', note]] : []),
  ];
  return [scheduleId, ...rows.map(([name = '', value = '']) => `  ${name.padEnd(6)}${value}`)];
}

function nullIfGone(error: unknown): null {
  if (error instanceof ScheduleNotFoundError || error instanceof WorkflowNotFoundError) return null;
  throw error;
}
