import { shortName } from '../../contract/workflow-id';
import { formatCount } from '../../shared/text';
import type { CommandContext } from '../cli/context';
import { UNIT_MS } from '../cli/option-parsers';
import { readListedRuns, type ListedRun, type ListOptions } from './read-runs';

const UNCOUNTED_TOKEN =
  'a request in progress when a run was terminated or timed out may have created a token' +
  ' that no run counts: live-migration-prep api-keys finds its API key';

/**
 * Prints runs in the order of Temporal's list: open runs, then closed ones by their end, newest
 * first.
 */
export async function printRuns(context: CommandContext, options: ListOptions): Promise<void> {
  const { output } = context;
  let count = 0;
  for await (const run of readListedRuns(context, options)) {
    if (count === 0) output.say(formatRow('STARTED', 'STATE', 'RUN', ''));
    count += 1;
    printRun(context, run, options);
  }
  output.say(formatCount(count, 'run'));
  output.note(
    'the list may lag, and loses closed runs after the retention period',
    options.unconfirmed ? UNCOUNTED_TOKEN : null,
  );
}

function printRun({ taskQueue, output }: CommandContext, run: ListedRun, options: ListOptions) {
  const { startedAt, state, workflowId, unconfirmed = [] } = run;
  const place = run.taskQueue === taskQueue ? null : `on task queue ${run.taskQueue}`;
  const details = describeListed(run, options.details === true);
  const description = [place, details].filter(Boolean).join('; ');
  output.print(run, [
    formatRow(formatAge(startedAt), state, shortName(workflowId), description),
    ...unconfirmed.map(
      (attempt) => `  ${attempt.startedAt} to ${attempt.endedAt}: ${attempt.reason}`,
    ),
  ]);
}

function formatRow(age: string, state: string, name: string, details: string): string {
  return `${age.padEnd(10)}${state.padEnd(13)}${name.padEnd(49)}  ${details}`.trimEnd();
}

/** Formats an age as `--since` reads it, such as `3h ago`. */
function formatAge(time: string): string {
  const ms = Math.max(0, Date.now() - Date.parse(time));
  const [unit, unitMs] = Object.entries(UNIT_MS).findLast(([, size]) => size <= ms) ?? ['s', 1000];
  return `${Math.floor(ms / unitMs)}${unit} ago`;
}

function describeListed(run: ListedRun, hasDetails: boolean): string {
  const { state, closedAt, sink, failure, nextAttemptAt, deliveryId, publicApiKey } = run;
  const { unconfirmedTokens, unreadable, request, receipt } = run;
  const isLeft = closedAt !== null && state !== 'delivered' && deliveryId !== null;
  const parts = [
    state === 'undelivered' && sink !== null && `for sink ${sink}`,
    failure && (hasDetails ? `${failure.type}: ${failure.message}` : failure.type),
    nextAttemptAt && `next attempt at ${nextAttemptAt}`,
    isLeft &&
      `token ${deliveryId} may not have arrived; its API key is ${publicApiKey ?? 'not known'}`,
    unconfirmedTokens > 0 && formatCount(unconfirmedTokens, 'unconfirmed token'),
    request && `request ${JSON.stringify(request)}`,
    receipt && `receipt ${JSON.stringify(receipt)}`,
    unreadable && `cannot be read: ${unreadable}`,
  ];
  return parts.filter(Boolean).join('; ');
}
