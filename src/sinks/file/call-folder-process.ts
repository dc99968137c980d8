import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { SinkRejectedError, SinkUnavailableError } from '../sink';
import type { Call, CallOutcome } from './folder-process';

/** Always the compiled file: a child process cannot run TypeScript, even in tests. */
const PROGRAM = path.join(__dirname, '../../../dist/sinks/file/folder-process.js');

/**
 * The number of folders that may hang before others wait. Each file sink uses at most one thread.
 */
const THREADS = 64;

const ENDED = {
  message: 'the process that writes files ended; the next attempt starts another',
  isRejected: false,
};

let folderProcess: ChildProcess | null = null;
let lastId = 0;
const pending = new Map<number, (outcome: CallOutcome) => void>();

/**
 * Runs an operation in the process that all file sinks share.
 *
 * @throws SinkUnavailableError, SinkRejectedError
 */
export async function callFolderProcess(
  operation: Call['operation'],
  ...args: string[]
): Promise<string> {
  const id = (lastId += 1);
  folderProcess ??= startFolderProcess();
  folderProcess.send({ id, operation, args } satisfies Call);
  const outcome = await new Promise<CallOutcome>((resolve) => pending.set(id, resolve));
  pending.delete(id);
  if ('result' in outcome) return outcome.result;
  if (outcome.isRejected) throw new SinkRejectedError(outcome.message);
  throw new SinkUnavailableError(outcome.message);
}

/**
 * Starts the process, which takes nothing else from the worker's environment: that may hold
 * secrets. It does not keep this process alive, and ends with it.
 */
function startFolderProcess(): ChildProcess {
  const { NODE_OPTIONS } = process.env;
  const env = { NODE_OPTIONS, UV_THREADPOOL_SIZE: String(THREADS) };
  const child = fork(PROGRAM, { env, execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  child.unref();
  child.channel?.unref();
  child.on('message', ({ id, ...outcome }: CallOutcome & Pick<Call, 'id'>) =>
    pending.get(id)?.(outcome),
  );
  const onEnd = () => {
    if (folderProcess !== child) return;
    folderProcess = null;
    for (const settle of pending.values()) settle(ENDED);
  };
  return child.on('error', onEnd).on('exit', onEnd);
}
