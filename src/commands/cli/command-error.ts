/** Part of the public contract: the same in every command. */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Temporal cannot be reached. */
  unreachable: 3,
  /** Stopped waiting; the run goes on. */
  timedOut: 4,
  /** The token exists and no sink has confirmed it; the run goes on. */
  undelivered: 5,
  /** The state of the run does not allow it. */
  refused: 6,
  cancelled: 7,
  /** Stopped by a signal; the run goes on. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** Thrown to end a command. Its lines are for the terminal, its exit code is for a calling script. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly lines: readonly string[];

  /**
   * @param lines of text; a line break within a line is printed as an escape.
   * @param facts printed by `--json` beside the message, such as the type of the run's failure.
   */
  constructor(
    lines: string | readonly string[],
    readonly exitCode: ExitCode = EXIT_CODES.failed,
    readonly facts: object = {},
  ) {
    const list = typeof lines === 'string' ? [lines] : lines;
    super(list.join('\n'));
    this.lines = list;
  }
}
