import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { startEmbeddedTemporal } from '../../dev/temporal/embedded-temporal';
import { SHARED_TEMPORAL_ADDRESS, shared } from './shared-temporal';

/** Starts the Temporal server that all test files share, and sees to it that dist/ is built. */
export default async function setUp(): Promise<void> {
  // `npm test` has done it; a call of jest by itself has not.
  const setup = path.join(__dirname, '../../dev/setup/index.mjs');
  execFileSync(process.execPath, [setup, 'temporal-test-server'], { stdio: 'inherit' });
  // In memory: with a file every step of a run waits for the disk, which hundreds of runs at once cannot afford.
  shared.temporal = await startEmbeddedTemporal();
  // For the programs that tests start, some two hundred: from Node 22 on they compile each file once for all of them.
  process.env['NODE_COMPILE_CACHE'] ??= path.join(__dirname, '../../.cache/compiled');
  process.env[SHARED_TEMPORAL_ADDRESS] = shared.temporal.address;
}
