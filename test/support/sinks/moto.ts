import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startTethered } from '../../../dev/temporal/tethered-process';
import type { SinkTestTools } from './tools';

export interface Moto {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts moto, which emulates AWS Secrets Manager. */
export async function startMoto({ program, pythonPath }: SinkTestTools['moto']): Promise<Moto> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sink-moto-'));
  const server = startTethered(program, ['-H', '127.0.0.1', '-p', '0'], {
    env: { ...process.env, PYTHONPATH: pythonPath },
    logFile: path.join(folder, 'moto.log'),
  });
  const [, port] = await server.untilOutput(/Running on http:\/\/127\.0\.0\.1:(\d+)/);
  return {
    port: Number(port),
    async stop() {
      await server.end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
