import type { Client } from '@temporalio/client';
import { createOutput } from '../../../../src/commands/cli/output';
import { createStop } from '../../../../src/commands/cli/stop';
import { timestamp } from '../../temporal/scripted-server';

/** The context of a command with a stub of Temporal's client. `printed` gets what the command prints. */
export function contextWith(client: object) {
  const printed: string[] = [];
  const print = { write: (text: string) => void printed.push(text) };
  const output = createOutput({ stdout: print, stderr: print }, false, createStop());
  return { client: client as Client, taskQueue: 'prep', isTaskQueueGiven: false, output, printed };
}

/** A task queue's pollers: a worker that polled this long ago. */
export function polledAgo(ms: number) {
  return [{ lastAccessTime: timestamp(Date.now() - ms) }];
}
