import type { FailureDetails } from '../contract/names';

export const EXIT_CODES = { done: 0, failed: 1, usage: 2, cannotReachTemporal: 3 } as const;

/** Thrown to end a command: its message is for the person at the terminal, its code for the script that called. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  /** @param failure the run's own failure, for `--json`. */
  constructor(
    message: string,
    readonly exitCode: number = EXIT_CODES.failed,
    readonly failure?: { type: string; details: FailureDetails | undefined },
  ) {
    super(message);
  }
}
