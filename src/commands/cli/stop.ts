import { CommandError, EXIT_CODES, type ExitCode } from './command-error';

export type Stop = ReturnType<typeof createStop>;

/** Ends a command before its work is done, by --timeout or Ctrl-C. What it started goes on. */
export function createStop() {
  const stopped = new AbortController();
  let followUp: string[] = [];
  const stop = (why: string, exitCode: ExitCode) =>
    stopped.abort(new CommandError([why, ...followUp], exitCode));
  return {
    /** Aborted with the CommandError that ends the command. */
    signal: stopped.signal,
    /** What goes on when the command is stopped: lines that end with the command that follows it. */
    setFollowUp: (...lines: string[]) => {
      followUp = lines;
    },
    followUp: () => followUp,
    interrupt: () => stop('interrupted', EXIT_CODES.interrupted),
    startTimeout(timeoutMs: number) {
      setTimeout(() => stop(`timed out after ${timeoutMs / 1000} s`, EXIT_CODES.timedOut), timeoutMs).unref();
    },
  };
}
