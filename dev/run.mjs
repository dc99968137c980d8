import { spawn } from 'node:child_process';

/**
 * Runs a command without showing what it writes.
 *
 * @returns what it wrote.
 * @throws Error whose message is what it wrote, when it fails, takes longer than `timeoutMs` or `signal` is aborted.
 */
export function run(command, args, { signal, env = process.env, timeoutMs } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env,
      signal,
      timeout: timeoutMs,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) =>
      reject(error.code === 'ENOENT' ? new Error(`${command} is not on PATH`) : error),
    );
    child.on('close', (code, endedBy) => {
      if (code === 0) return resolve(output);
      const ending = endedBy ? `was ended by ${endedBy}` : `failed with exit code ${code}`;
      reject(new Error(output.trim() || `${command} ${ending}`));
    });
  });
}
