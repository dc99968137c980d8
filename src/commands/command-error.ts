export const EXIT_CODES = { done: 0, failed: 1, usage: 2, cannotReachTemporal: 3 } as const;

/** Thrown to end a command: its message is for the person at the terminal, its code for the script that called. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  /** @param facts what `--json` tells beside the message, such as the type of the run's own failure. */
  constructor(
    message: string,
    readonly exitCode: number = EXIT_CODES.failed,
    readonly facts: object = {},
  ) {
    super(message);
  }
}
