import { EXIT_CODES, type ExitCode } from './exit-codes';

/** Thrown to end a command. Its lines are for the terminal, its exit code is for a calling script. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly lines: readonly string[];

  /** @param facts printed by `--json` beside the message, such as the type of the run's failure. */
  constructor(
    lines: string | readonly string[],
    readonly exitCode: ExitCode = EXIT_CODES.failed,
    readonly facts: object = {},
  ) {
    const list = [lines].flat();
    super(list.join('\n'));
    this.lines = list;
  }
}

export function usageError(lines: string | readonly string[]): CommandError {
  return new CommandError(lines, EXIT_CODES.usage);
}

/** Makes the error for what the state of the runs does not allow. */
export function refusal(lines: string | readonly string[], facts: object): CommandError {
  return new CommandError(lines, EXIT_CODES.refused, facts);
}
