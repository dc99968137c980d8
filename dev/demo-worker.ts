import { readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeKey } from '../src/sealing';
import { DEFAULTS } from './atlas-emulator';
import { embeddedEnv } from './embedded-env';
import { startTethered } from './tethered-process';

interface DemoWorkerOptions {
  folder: string;
  temporalAddress: string;
  atlasUrl: string;
}

const START_TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 20;

/** Starts the built worker as a process of its own, with keys and a file sink in `folder`, and waits until it works. */
export async function startDemoWorker({ folder, temporalAddress, atlasUrl }: DemoWorkerOptions) {
  mkdirSync(path.join(folder, 'tokens'));
  writeFileSync(path.join(folder, 'sealing-keys.json'), JSON.stringify({ keys: [makeKey(new Date())] }), {
    mode: 0o600,
  });
  writeFileSync(path.join(folder, 'live-migration-prep.yaml'), CONFIG);
  const logFile = path.join(folder, 'worker.log');
  const worker = startTethered(
    process.execPath,
    [
      path.join(__dirname, '..', 'dist', 'worker.js'),
      '--config',
      path.join(folder, 'live-migration-prep.yaml'),
    ],
    {
      logFile,
      env: {
        ...embeddedEnv(temporalAddress),
        MONGODB_ATLAS_BASE_URL: atlasUrl,
        MONGODB_ATLAS_CLIENT_ID: DEFAULTS.serviceAccount.clientId,
        MONGODB_ATLAS_CLIENT_SECRET: DEFAULTS.serviceAccount.clientSecret,
      },
    },
  );
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!readFileSync(logFile, 'utf8').includes('"state":"RUNNING"')) {
    if (!worker.isRunning() || Date.now() > deadline) {
      throw new Error(`the worker does not start:\n${readFileSync(logFile, 'utf8')}`);
    }
    await sleep(POLL_INTERVAL_MS);
  }
  return { stop: () => worker.end('SIGTERM') };
}

const CONFIG = `sinks:
  files: {type: file, directory: ./tokens}
sealing:
  keys: {file: ./sealing-keys.json}
health: {port: 0}
`;
