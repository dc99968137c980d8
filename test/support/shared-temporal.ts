import { startDevServer, type DevServer } from '../../dev/temporal/dev-server';

let temporal: DevServer | undefined;

/** Starts the server that all test files share, and find in the environment. */
export async function startSharedTemporal(): Promise<void> {
  // In memory: with a file every step of a run waits for the disk, which hundreds of runs at once
  // cannot afford.
  temporal = await startDevServer();
  process.env['SHARED_TEMPORAL_ADDRESS'] = temporal.address;
}

/** Stops it; jest calls this after the last test. */
export default async function stopSharedTemporal(): Promise<void> {
  await temporal?.stop();
}
