import { formatCount } from '../../shared/text';
import type { CommandContext } from '../cli/context';
import { UNIT_MS } from '../cli/option-parsers';
import { createGap, type OutputLine } from '../cli/output';
import { UNCOUNTED_TOKEN } from '../runs/describe-ending';
import { findFailureType } from '../runs/read-status';
import { readListedRuns, type ListedRun, type ListOptions } from './read-runs';

/** From this many runs on, a note says how to narrow the list. */
const MANY = 100;

/**
 * Prints runs in the order of Temporal's list: open runs, then closed ones by their end, newest
 * first.
 */
export async function printRuns(context: CommandContext, options: ListOptions): Promise<void> {
  const { output } = context;
  let count = 0;
  for await (const run of readListedRuns(context, options)) {
    if (count === 0) output.say(...formatRow(output.columns, 'STARTED', 'STATE', 'RUN', ''));
    count += 1;
    printRun(context, run, options);
  }
  output.say(formatCount(count, 'run'));
  output.note(
    'the list may lag, and loses closed runs after the retention period',
    output.columns !== null && count >= MANY
      ? 'narrow it with --since 2h, --org or --undelivered'
      : null,
    options.unconfirmed ? UNCOUNTED_TOKEN : null,
  );
}

function printRun({ taskQueue, output }: CommandContext, run: ListedRun, options: ListOptions) {
  const { startedAt, state, workflowId, unconfirmed = [] } = run;
  const place = run.taskQueue === taskQueue ? null : `on task queue ${run.taskQueue}`;
  const details = describeListed(run, options.details === true, output.columns !== null);
  const description = [place, details].filter(Boolean).join('; ');
  const { columns } = output;
  const [time, name] =
    columns === null
      ? [startedAt, workflowId]
      : [formatAge(startedAt), workflowId.replace(/^live-migration-prep\//, '')];
  output.print(run, [
    ...formatRow(columns, time, state, name, description),
    ...unconfirmed.map(
      (attempt) => `  ${attempt.startedAt} to ${attempt.endedAt}: ${attempt.reason}`,
    ),
  ]);
}

/** Widths of the columns: at times and workflow ids, or at ages and pairs on a terminal. */
const WIDTHS = {
  pipe: { time: 26, state: 13, name: 69 },
  terminal: { time: 10, state: 13, name: 49 },
};

/** Formats a run; on a terminal, details that do not fit go below it. */
function formatRow(
  columns: number | null,
  time: string,
  state: string,
  name: string,
  details: string,
): OutputLine[] {
  const widths = columns === null ? WIDTHS.pipe : WIDTHS.terminal;
  const before = time.padEnd(widths.time);
  const gap = createGap(state, widths.state);
  const after = `${gap}${name.padEnd(widths.name)}  ${details}`.trimEnd();
  const length = before.length + state.length + after.length;
  const fits = columns === null || length <= columns || details === '';
  if (fits) return [{ before, word: state, after }];
  return [{ before, word: state, after: gap + name }, `${' '.repeat(widths.time)}${details}`];
}

/** Formats an age as `--since` reads it, such as `3h ago`. */
function formatAge(time: string): string {
  return `${formatDuration(Date.now() - Date.parse(time))} ago`;
}

function formatDuration(ms: number): string {
  const [unit, unitMs] = Object.entries(UNIT_MS).findLast(([, size]) => size <= ms) ?? ['s', 1000];
  return `${Math.max(0, Math.floor(ms / unitMs))}${unit}`;
}

function describeNextAttempt(time: string, isTerminal: boolean): string {
  return isTerminal
    ? `next attempt in ${formatDuration(Date.parse(time) - Date.now())}`
    : `next attempt at ${time}`;
}

function describeListed(run: ListedRun, hasDetails: boolean, isTerminal: boolean): string {
  const { sink, status, statusProblem, deliveryId, closedAt } = run;
  const { unconfirmedTokens, unreadable, failure, request, receipt } = run;
  const parts = [
    sink !== null && `for sink ${sink}`,
    statusProblem,
    status &&
      (hasDetails ? status.description : (findFailureType(status.description) ?? status.step)),
    status?.nextAttemptAt && describeNextAttempt(status.nextAttemptAt, isTerminal),
    closedAt && deliveryId && `token ${deliveryId} may not have arrived`,
    unconfirmedTokens > 0 && formatCount(unconfirmedTokens, 'unconfirmed token'),
    failure && `${failure.type}: ${failure.message}`,
    request && `request ${JSON.stringify(request)}`,
    receipt && `receipt ${JSON.stringify(receipt)}`,
    unreadable && `cannot be read: ${unreadable}`,
  ];
  return parts.filter(Boolean).join('; ');
}
