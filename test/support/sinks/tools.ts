import { execFileSync } from 'node:child_process';
import path from 'node:path';

const ROOT = path.join(__dirname, '../../..');

export interface SinkTestTools {
  bao: string;
  moto: { program: string; pythonPath: string };
}

/** Installs OpenBao and moto when they are not there. Throws with the reason when that cannot be done. */
export function sinkTestTools(): SinkTestTools {
  execFileSync(process.execPath, [path.join(ROOT, 'dev/setup/index.mjs'), 'bao', 'moto'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return {
    bao: path.join(ROOT, '.cache/bin/bao'),
    moto: { program: path.join(ROOT, '.cache/bin/moto'), pythonPath: path.join(ROOT, '.cache/moto') },
  };
}
