import { execFile } from 'node:child_process';
import path from 'node:path';
import { embeddedEnv } from '../../dev/temporal/embedded-env';
import type { ClientExit } from './deployment';

const CLI = path.join(__dirname, '../../.cache/bin/temporal');

/** Runs Temporal's own command line to its end, as an operator would. */
export function temporalCli(address: string, ...args: string[]): Promise<ClientExit> {
  return new Promise((resolve) => {
    const options = { env: embeddedEnv(address), timeout: 60_000 };
    execFile(CLI, args, options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}
