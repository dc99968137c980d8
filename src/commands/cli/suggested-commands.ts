import { DEFAULT_TASK_QUEUE } from '../../contract/names';
import { shellWord } from '../../contract/printable';

/** Commands that a message may suggest. */
const SUGGESTED = /\blive-migration-prep (?=(cancel|list|redeliver|restart|schedule|start|watch)\b)/g;

/** Commands of Temporal's own program. */
const SUGGESTED_OF_TEMPORAL = /\btemporal (activity|operator|schedule|worker|workflow) (?!--address )/g;

/** These are about one run, which has a task queue. */
const OF_A_RUN: readonly string[] = ['cancel', 'redeliver', 'watch'];

/**
 * Completes the commands in a line by the options with which this one reaches Temporal. The line may be the message of
 * a run, which knows none of them.
 */
export function suggestedCommands(options: { address?: string; namespace?: string; taskQueue: string }) {
  const { address, namespace, taskQueue } = options;
  const withAddress = option('--address', address);
  const withNamespace = option('--namespace', namespace);
  const withQueue = taskQueue === DEFAULT_TASK_QUEUE ? '' : option('--task-queue', taskQueue);
  return (line: string): string =>
    line
      .replace(
        SUGGESTED,
        (program: string, command: string) =>
          program + withAddress + withNamespace + (OF_A_RUN.includes(command) ? '' : withQueue),
      )
      .replace(
        SUGGESTED_OF_TEMPORAL,
        (program) => program + withAddress + (line.includes(' --namespace ') ? '' : withNamespace),
      );
}

/** With a space behind it, as a part of a command line; empty where there is no value. */
function option(name: string, value: string | undefined): string {
  return value === undefined ? '' : `${name} ${shellWord(value)} `;
}
