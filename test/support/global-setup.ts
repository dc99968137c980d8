import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { startSharedTemporal } from './shared-temporal';

/** Sees to it that dist/ is built, and starts the Temporal server that all test files share. */
export default async function setUp(): Promise<void> {
  // `npm test` has done it; a call of jest by itself has not.
  const setup = path.join(__dirname, '../../dev/setup/index.mjs');
  execFileSync(process.execPath, [setup, 'temporal-test-server'], { stdio: 'inherit' });
  // For the programs that tests start, some two hundred: from Node 22 on they compile each file
  // once for all of them.
  process.env['NODE_COMPILE_CACHE'] ??= path.join(__dirname, '../../.cache/compiled');
  await startSharedTemporal();
}
