import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startEmbeddedTemporal } from '../../dev/temporal/embedded-temporal';
import { SHARED_TEMPORAL_ADDRESS, shared } from './shared-temporal';

/** Starts the Temporal server that all test files share, and sees to it that dist/ is built. */
export default async function setUp(): Promise<void> {
  // `npm test` has done it; whoever calls jest by itself has not.
  const setup = path.join(__dirname, '../../dev/setup/index.mjs');
  execFileSync(process.execPath, [setup, 'temporal-test-server'], { stdio: 'inherit' });
  shared.folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-tests-'));
  shared.temporal = await startEmbeddedTemporal({
    databaseFile: path.join(shared.folder, 'temporal.db'),
    logFile: path.join(shared.folder, 'temporal.log'),
  });
  process.env[SHARED_TEMPORAL_ADDRESS] = shared.temporal.address;
}
