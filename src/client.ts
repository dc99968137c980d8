#!/usr/bin/env node
import './shared/require-modern-node';
import { EXIT_CODES } from './commands/cli/command-error';
import { runProgram } from './commands/program';

const { env, stdout, stderr } = process;

let outputIsLost = false;

// The reader may have closed the pipe (EPIPE); the exit code still reports the outcome.
stderr.on('error', () => undefined);
stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE') return;
  outputIsLost = true;
  stderr.write(`live-migration-prep: its output could not be written (${code})\n`);
});

const interrupt = new AbortController();
// A second Ctrl-C ends the process at once.
process.once('SIGINT', () => interrupt.abort());

const io = { env, stdin: process.stdin, stdout, stderr, interrupt: interrupt.signal };
void runProgram(io, process.argv.slice(2)).then(async (exitCode) => {
  await Promise.all([whenWritten(stdout), whenWritten(stderr)]);
  // A stopped command may have calls under way: they would delay the end, and throw when they
  // retry.
  process.exit(outputIsLost && exitCode === EXIT_CODES.done ? EXIT_CODES.failed : exitCode);
});

/** Resolves when the stream has passed on all that was written: a pipe may be read slowly. */
function whenWritten(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength > 0) stream.write('', () => resolve());
    else resolve();
  });
}
