import { CommandError } from './command-error';
import { EXIT_CODES, type ExitCode } from './exit-codes';

/** Ends a command at --timeout or Ctrl-C. The runs that it started go on. */
export interface Stop {
  /** Aborted with the CommandError that ends the command. */
  signal: AbortSignal;
  /** Sets the lines that say what goes on after a stop, and which command follows it. */
  setFollowUp: (...lines: string[]) => void;
  followUp: () => readonly string[];
  interrupt: () => void;
  startTimeout: (timeoutMs: number) => void;
}

export function createStop(): Stop {
  const stopped = new AbortController();
  let followUp: string[] = [];
  const stop = (why: string, exitCode: ExitCode) =>
    stopped.abort(new CommandError([why, ...followUp], exitCode));
  return {
    signal: stopped.signal,
    setFollowUp: (...lines) => {
      followUp = lines;
    },
    followUp: () => followUp,
    interrupt: () => stop('interrupted', EXIT_CODES.interrupted),
    startTimeout(timeoutMs) {
      setTimeout(() => stop(`timed out after ${timeoutMs / 1000} s`, EXIT_CODES.timedOut), timeoutMs).unref();
    },
  };
}
