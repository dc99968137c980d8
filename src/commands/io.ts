import type { TextStream } from './output';

/** What the program reads and writes. */
export interface Io {
  env: NodeJS.ProcessEnv;
  /** A terminal, or else nothing can be confirmed. */
  stdin?: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: TextStream;
  stderr: TextStream;
  /** Aborted by Ctrl-C. */
  interrupt?: AbortSignal;
}
