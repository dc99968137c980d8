import type { Receipt } from '../../contract/schemas';

/**
 * Part of the public contract: the same in every command. `--help` and docs/commands.md explain
 * them.
 */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  timedOut: 4,
  undelivered: 5,
  refused: 6,
  cancelled: 7,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/**
 * Facts that `--json` prints beside the message of an error. Scripts branch on `type` and `state`.
 */
export interface ErrorFacts {
  /** Type of the run's failure, or of the refusal. */
  type?: string | null | undefined;
  /** A run that `delivered` its token, or has `ended`, does not allow the command. */
  state?: 'delivered' | 'ended' | undefined;
  /** Of the token that was delivered, if it can be read. */
  receipt?: Receipt | null | undefined;
  [name: string]: unknown;
}

/**
 * Thrown to end a command. Its lines are for the terminal, its exit code is for a calling script.
 */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly lines: readonly string[];

  constructor(
    lines: string | readonly string[],
    readonly exitCode: ExitCode = EXIT_CODES.failed,
    readonly facts: ErrorFacts = {},
  ) {
    const list = [lines].flat();
    super(list.join('\n'));
    this.lines = list;
  }
}

export function usageError(lines: string | readonly string[]): CommandError {
  return new CommandError(lines, EXIT_CODES.usage);
}

/** Builds the error for what the state of the runs does not allow. */
export function refusalError(lines: string | readonly string[], facts: ErrorFacts): CommandError {
  return new CommandError(lines, EXIT_CODES.refused, facts);
}
