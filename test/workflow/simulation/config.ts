import type { Config } from '../../../src/config';
import { settingsSchema } from '../../../src/config/settings';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { makeKey } from '../../../src/secrets/sealing';
import { ORG, OTHER_ORG, SOURCE_ORG } from '../../unit/samples';
import { REQUEST_TIMEOUT_MS } from './network';

/*
 * The configuration of the simulated workers, parsed as that of a real one.
 */

export const GIVE_UP_AFTER_MS = 100_000;
const env = {
  SECRET: 'secret',
  SIGNING_SECRET: `whsec_${Buffer.from('k'.repeat(24)).toString('base64')}`,
  SEALING: JSON.stringify({ keys: [makeKey(new Date())] }),
};
const timeoutMs = REQUEST_TIMEOUT_MS;
const signingSecrets = [{ env: 'SIGNING_SECRET' }];
const SINKS = {
  hook: { type: 'webhook', url: 'https://hook.test/', signingSecrets, timeoutMs },
  archive: { type: 'webhook', url: 'https://archive.test/', signingSecrets, timeoutMs },
  vault: {
    ...{ type: 'vault', address: 'https://vault.test', path: 'prep/{orgId}', timeoutMs },
    token: { env: 'SECRET' },
  },
  source: {
    ...{ type: 'cloudManager', baseUrl: 'https://source.test', syncTimeoutMs: 20_000, timeoutMs },
    sources: {
      [SOURCE_ORG]: { orgId: OTHER_ORG, publicKey: 'source', privateKey: { env: 'SECRET' } },
    },
  },
};
export const SINKS_OF: Record<string, string[]> = {
  [ORG]: ['hook', 'archive'],
  [OTHER_ORG]: ['vault', 'archive', 'source'],
};

const context = { env, baseDirectory: '/', warn: () => undefined };
const names = { credentials: ['shared'], sinks: Object.keys(SINKS) };
const organizations = Object.fromEntries(
  Object.entries(SINKS_OF).map(([orgId, sinks]) => [orgId, { credential: 'shared', sinks }]),
);
const clientSecret = { env: 'SECRET' };
export const CONFIG = settingsSchema(context, names).parse({
  atlas: {
    baseUrl: 'https://atlas.test',
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    credentials: { shared: { type: 'serviceAccount', clientId: 'mdb_sa_id_0', clientSecret } },
    organizations,
  },
  sinks: SINKS,
  sealing: { keys: { env: 'SEALING' } },
  retries: { giveUpAfterMs: GIVE_UP_AFTER_MS, roundMs: 20_000 },
  schedules: { minimumTokenAgeMs: 100_000 },
  // Less than an attempt may take.
  worker: { heartbeatTimeoutMs: 15_000 },
}) as Config;

/** Of each pair, its request, and the sinks that this may name. The lists are normalized. */
export const PAIRS = [
  {
    orgId: ORG,
    accessListIps: ['192.31.196.0/24', '192.31.196.7'],
    // A delivery makes one request to the hook, and more to the other servers.
    sinks: ['hook', 'hook', 'hook', 'archive'],
  },
  {
    orgId: OTHER_ORG,
    accessListIps: ['192.31.196.7'],
    requestedBy: 'somebody',
    sinks: ['vault', 'archive'],
  },
  { orgId: OTHER_ORG, sourceOrgId: SOURCE_ORG, accessListIps: [], sinks: ['source', 'vault'] },
];
export const WORKFLOW_IDS = PAIRS.map(workflowIdFor);
