import type { Config } from '../../../src/config';
import { settingsSchema } from '../../../src/config/settings';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { makeKey } from '../../../src/secrets/sealing';
import { ORG, OTHER_ORG, SOURCE_ORG } from '../../unit/samples';
import { SECRETS } from './atlas';
import { REQUEST_TIMEOUT_MS } from './network';
import { SINK_SECRETS } from './sinks';

/*
 * The configuration of the simulated workers, parsed as that of a real one.
 */

export const GIVE_UP_AFTER_MS = 100_000;
const env = {
  ATLAS_SECRET: SECRETS.clientSecret,
  ATLAS_KEY: SECRETS.privateKey,
  HOOK: SINK_SECRETS.hook,
  VAULT: SINK_SECRETS.vault,
  SOURCE_KEY: SECRETS.sourcePrivateKey,
  SEALING: JSON.stringify({ keys: [makeKey(new Date())] }),
};
const timeoutMs = REQUEST_TIMEOUT_MS;
const SINKS = {
  hook: {
    type: 'webhook',
    url: 'https://hook.test/',
    signingSecrets: [{ env: 'HOOK' }],
    timeoutMs,
  },
  vault: {
    ...{ type: 'vault', address: 'https://vault.test', path: 'prep/{orgId}', timeoutMs },
    token: { env: 'VAULT' },
  },
  source: {
    ...{ type: 'cloudManager', baseUrl: 'https://source.test', publicKey: SECRETS.sourcePublicKey },
    ...{ privateKey: { env: 'SOURCE_KEY' }, syncTimeoutMs: 20_000, timeoutMs },
  },
  files: { type: 'file', directory: '/tokens' },
};
export const SINKS_OF: Record<string, string[]> = {
  [ORG]: ['hook', 'files'],
  [OTHER_ORG]: ['vault', 'files', 'source'],
};

const CREDENTIALS = [
  { type: 'serviceAccount', clientId: SECRETS.clientId, clientSecret: { env: 'ATLAS_SECRET' } },
  { type: 'apiKey', publicKey: SECRETS.publicKey, privateKey: { env: 'ATLAS_KEY' } },
];

function makeConfig(credential: object, sinks: object): Config {
  const context = { env, baseDirectory: '/', warn: () => undefined };
  const names = { credentials: ['shared'], sinks: Object.keys(sinks) };
  const organizations = Object.fromEntries(
    Object.entries(SINKS_OF).map(([orgId, ofOrg]) => [
      orgId,
      { credential: 'shared', sinks: ofOrg.filter((name) => name in sinks) },
    ]),
  );
  return settingsSchema(context, names).parse({
    atlas: {
      baseUrl: 'https://atlas.test',
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      credentials: { shared: credential },
      organizations,
    },
    sinks,
    sealing: { keys: { env: 'SEALING' } },
    retries: { giveUpAfterMs: GIVE_UP_AFTER_MS, roundMs: 20_000 },
    schedules: { minimumTokenAgeMs: 100_000 },
    // Less than an attempt may take.
    worker: { heartbeatTimeoutMs: 15_000 },
  }) as Config;
}

/**
 * For each type of credential, which both organizations share: the current configuration, and the
 * outdated one, from before somebody added sinks.
 */
export const CONFIGS = CREDENTIALS.map((credential) => ({
  current: makeConfig(credential, SINKS),
  outdated: makeConfig(credential, { files: SINKS.files }),
}));

/** Of each pair, its request, and the sinks that this may name. The lists are normalized. */
export const PAIRS = [
  {
    orgId: ORG,
    accessListIps: ['192.31.196.0/24', '192.31.196.7'],
    // A delivery makes one request to the hook, and more to the other servers.
    sinks: ['hook', 'hook', 'hook', 'files'],
  },
  {
    orgId: OTHER_ORG,
    accessListIps: ['192.31.196.7'],
    requestedBy: 'somebody',
    sinks: ['vault', 'files'],
  },
  { orgId: OTHER_ORG, sourceOrgId: SOURCE_ORG, accessListIps: [], sinks: ['source', 'vault'] },
];
export const WORKFLOW_IDS = PAIRS.map(workflowIdFor);
