/**
 * The program that works on the folders of all file sinks. A folder may hang, such as a network
 * share whose server is away, and then it holds a thread of Node's pool: DNS needs these threads
 * too, and no process can exit meanwhile.
 */
import { SinkRejectedError } from '../sink';
import * as operations from './folder';

export interface Call {
  id: number;
  operation: keyof typeof operations;
  args: string[];
}

export type CallOutcome = { result: string } | { message: string; isRejected: boolean };

process.on('message', ({ id, operation, args }: Call) => {
  const run: (...args: string[]) => Promise<string> = operations[operation];
  const toOutcome = (error: unknown): CallOutcome => ({
    message: (error as Error).message,
    isRejected: error instanceof SinkRejectedError,
  });
  const outcome = run(...args).then((result): CallOutcome => ({ result }), toOutcome);
  void outcome.then((reply) => process.send?.({ id, ...reply }));
});
// The worker ended.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// Ctrl-C reaches the whole process group; only the worker acts on it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
