import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeKey } from '../../src/secrets/sealing';
import { DEFAULTS } from '../atlas-emulator';
import { startChildProcess } from '../temporal/child-process';
import { devServerEnv } from '../temporal/dev-server-env';

/**
 * Sink `drop` stores every token, and `rejects` none: its directory is a file, as the name of the
 * file says.
 */
export const DEMO_CONFIG = `sinks:
  drop: {type: file, directory: ./tokens}
  rejects: {type: file, directory: ./not-a-directory-on-purpose}
sealing:
  keys: {file: ./sealing-keys.json}
health: {port: 0}
`;

/**
 * Starts the built worker as a process, with keys and a file sink in `folder`, and waits until it
 * polls.
 */
export async function startDemoWorker(options: {
  folder: string;
  temporalAddress: string;
  atlasUrl: string;
  /** The worker's configuration, in `folder`. */
  config?: string;
  /** Settings for a Temporal that is not embedded. */
  env?: NodeJS.ProcessEnv;
}) {
  const { folder, temporalAddress, atlasUrl, config = DEMO_CONFIG } = options;
  const configFile = path.join(folder, 'live-migration-prep.yaml');
  const keys = JSON.stringify({ keys: [makeKey(new Date())] });
  const first = !existsSync(configFile);
  if (first) {
    mkdirSync(path.join(folder, 'tokens'));
    writeFileSync(path.join(folder, 'sealing-keys.json'), keys, { mode: 0o600 });
    writeFileSync(path.join(folder, 'not-a-directory-on-purpose'), '');
    writeFileSync(configFile, config);
  }
  const program = path.join(__dirname, '../../dist/worker.js');
  const worker = startChildProcess(process.execPath, [program, '--config', configFile], {
    logFile: path.join(folder, first ? 'worker.log' : `worker-${randomUUID()}.log`),
    env: {
      ...(options.env ?? devServerEnv(temporalAddress)),
      MONGODB_ATLAS_BASE_URL: atlasUrl,
      MONGODB_ATLAS_CLIENT_ID: DEFAULTS.serviceAccount.clientId,
      MONGODB_ATLAS_CLIENT_SECRET: DEFAULTS.serviceAccount.clientSecret,
    },
  });
  await worker.untilOutput(/"state":"RUNNING"/);
  return { pid: worker.pid, stop: () => worker.end('SIGTERM'), kill: () => worker.end('SIGKILL') };
}
