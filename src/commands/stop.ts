import { CommandError, EXIT_CODES, type ExitCode } from './command-error';

/** Ends a command before its work is done, by --timeout or Ctrl-C. What it started goes on. */
export interface Stop {
  /** Aborted with the CommandError that ends the command. */
  readonly signal: AbortSignal;
  /** What goes on when the command is stopped: lines that end with the command that follows it. */
  readonly goesOn: (...lines: string[]) => void;
  readonly interrupt: () => void;
  startTimeout(timeoutMs: number): void;
  /** @throws CommandError as soon as the command is stopped. */
  race<T>(work: Promise<T>): Promise<T>;
}

export function createStop(): Stop {
  const stopped = new AbortController();
  const { signal } = stopped;
  let followUp: string[] = [];
  const stop = (why: string, exitCode: ExitCode) =>
    stopped.abort(new CommandError([why, ...followUp], exitCode));
  return {
    signal,
    goesOn(...lines) {
      followUp = lines;
    },
    interrupt: () => stop('interrupted', EXIT_CODES.interrupted),
    startTimeout(timeoutMs) {
      setTimeout(() => stop(`timed out after ${timeoutMs / 1000} s`, EXIT_CODES.timedOut), timeoutMs).unref();
    },
    race: (work) =>
      Promise.race([
        work,
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as CommandError));
        }),
      ]),
  };
}
