import type { Client } from '@temporalio/client';
import { createOutput } from '../../../../src/commands/cli/output';
import { createStop } from '../../../../src/commands/cli/stop';
import { textStream } from '../../../support/run-command';
import { timestamp } from '../../temporal/scripted-server';

/**
 * The context of a command with a stub of Temporal's client. `printed` gets what the command
 * prints; with `json`, what it prints on standard error is in `errors`.
 */
export function contextWith(client: object, { json = false }: { json?: boolean } = {}) {
  const printed: string[] = [];
  const errors: string[] = json ? [] : printed;
  const stdout = textStream((text) => printed.push(text));
  const stderr = textStream((text) => errors.push(text));
  const stub: object = 'withDeadline' in client ? client : { withDeadline, ...client };
  const output = createOutput({ stdout, stderr }, json, createStop());
  return {
    client: stub as Client,
    taskQueue: 'prep',
    isTaskQueueGiven: false,
    output,
    printed,
    errors,
  };
}

const withDeadline = (_deadline: unknown, call: () => unknown) => call();

/** A task queue's pollers: a worker that polled this long ago. */
export function polledAgo(ms: number) {
  return [{ lastAccessTime: timestamp(Date.now() - ms) }];
}
