import { CommandError, EXIT_CODES, type ExitCode } from './command-error';

export type Stop = ReturnType<typeof createStop>;

/** Creates what ends a command at --timeout or Ctrl-C. The runs that it started go on. */
export function createStop() {
  const controller = new AbortController();
  let followUp: readonly string[] = [];
  const stop = (why: string, exitCode: ExitCode) =>
    controller.abort(new CommandError([why, ...followUp], exitCode));
  return {
    /** Aborted with the CommandError that ends the command. */
    signal: controller.signal,
    /** Sets the lines that say what goes on after a stop, and which command follows it. */
    setFollowUp: (...lines: string[]): void => {
      followUp = lines;
    },
    followUp: () => followUp,
    interrupt: () => stop('interrupted', EXIT_CODES.interrupted),
    startTimeout(timeoutMs: number): void {
      setTimeout(
        () => stop(`timed out after ${timeoutMs / 1000} s`, EXIT_CODES.timedOut),
        timeoutMs,
      ).unref();
    },
  };
}
