import { setMaxListeners } from 'node:events';
import { raceSignal } from '../../abort';
import { SinkUnavailableError } from '../sink';

/** Below the 10 s of a check, so that the check reports this queue's error, not its own timeout. */
const ANSWER_TIMEOUT_MS = 9500;

/**
 * Creates a function that runs the operations on a folder one after the other. If one does not
 * return in time, it and all others fail until it returns.
 */
export function createQueue(directory: string) {
  let previousOperation: Promise<unknown> = Promise.resolve();
  let hangAbort = new AbortController();

  async function run<T>(operation: () => Promise<T>): Promise<T> {
    const since = new Date().toISOString();
    const problem = `the directory ${directory} of the sink has not answered since ${since}`;
    const remedy = 'check its file system, such as the server of a network share';
    const error = new SinkUnavailableError(`${problem}: ${remedy}`);
    const timer = setTimeout(() => hangAbort.abort(error), ANSWER_TIMEOUT_MS);
    try {
      return await operation();
    } finally {
      clearTimeout(timer);
      if (hangAbort.signal.aborted) hangAbort = new AbortController();
    }
  }

  /** @throws SinkUnavailableError, the error of the operation, or the reason of the signal. */
  return async function runInTurn<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { signal: giveUp } = hangAbort;
    // By default, Node warns of more than ten operations that wait.
    setMaxListeners(0, giveUp);
    // Nothing is queued behind an operation that may never return.
    giveUp.throwIfAborted();
    const result = previousOperation.then(() => {
      signal.throwIfAborted();
      giveUp.throwIfAborted();
      return run(operation);
    });
    previousOperation = result.catch(() => undefined);
    return raceSignal(() => raceSignal(() => result, giveUp), signal);
  };
}
