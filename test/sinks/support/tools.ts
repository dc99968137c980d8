import { execFileSync } from 'node:child_process';
import path from 'node:path';

export interface SinkTestTools {
  bao: string;
  /** `path` is the PYTHONPATH. */
  moto: { python: string; path: string };
}

/** Installs OpenBao and moto when they are not there. Throws with the reason when that cannot be done. */
export function sinkTestTools(): SinkTestTools {
  const script = path.resolve(__dirname, '../../../dev/sink-test-tools.mjs');
  const printed = execFileSync(process.execPath, [script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(printed) as SinkTestTools;
}
