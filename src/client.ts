#!/usr/bin/env node
import { createProgram } from './commands/program';

const { env, stdout, stderr } = process;

// Whoever reads the output may have gone (EPIPE): the exit code still says what became of the command.
stderr.on('error', () => undefined);
stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') stderr.write(`live-migration-prep: its output could not be written (${code})\n`);
});

const interrupt = new AbortController();
// A second Ctrl-C ends the process at once.
process.once('SIGINT', () => interrupt.abort());

const { signal } = interrupt;
void createProgram({ env, stdin: process.stdin, stdout, stderr, interrupt: signal })
  .run(process.argv.slice(2))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
