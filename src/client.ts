#!/usr/bin/env node
import { createProgram } from './commands/program';

const { env, stdout, stderr } = process;

// Whoever read the output has gone: the exit code still says what became of the command.
for (const stream of [stdout, stderr]) stream.on('error', () => undefined);

void createProgram({ env, stdout, stderr })
  .run(process.argv.slice(2))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
