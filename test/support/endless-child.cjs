/** Preloaded into a worker: a program that does not end, as that of `credential_process` may do. */
const { spawn } = require('node:child_process');
// The processes that a worker starts preload this file too.
if (process.argv[1]?.endsWith('worker.js')) {
  const program = spawn('tail', ['-f', '/dev/null'], { env: {} });
  process.on('exit', () => program.kill());
}
