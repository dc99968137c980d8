import type { Config } from '../../../src/config';
import { createSealer, type makeKey } from '../../../src/secrets/sealing';
import type { SimulatedActivity } from './activity';
import { instantly } from './clock';
import type { Report } from './resolutions';

/*
 * The sealing keys: those that operators have made, and the file of each worker.
 */

type Key = ReturnType<typeof makeKey>;

/** The keys that a worker finds in its file. The first one seals, and all of them open. */
export class KeyFile {
  /** The ids of the keys that the worker has read. It keeps those, whatever the file loses. */
  private readonly readIds = new Set<string>();

  constructor(public keys: readonly Key[]) {}

  createSealing(): Config['sealing'] {
    const sealer = createSealer(() => {
      for (const { kid } of this.keys) this.readIds.add(kid);
      return JSON.stringify({ keys: this.keys });
    });
    return {
      ...sealer,
      seal: (...args) => instantly(() => sealer.seal(...args)),
      open: (...args) => instantly(() => sealer.open(...args)),
    };
  }

  /** @returns the sentence that does not hold for what a worker reports of a delivery. */
  findProblem({ args }: SimulatedActivity, report: Report): string | null {
    const info = 'failure' in report ? report.failure.applicationFailureInfo : null;
    if (info?.type !== 'SealedTokenUnreadable') return null;
    const [{ jwe }] = args as [{ jwe: string }];
    const [header = ''] = jwe.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const isInFile = this.keys.some((key) => key.kid === kid);
    if (!isInFile && !this.readIds.has(kid)) return null;
    return 'a worker opens what it has the key for, in its file or from before';
  }
}
