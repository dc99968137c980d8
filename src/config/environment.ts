import type { CredentialConfig } from '../atlas/credential-config';
import { headerFormat, problemWith, secretFromEnv, type ReferenceContext, type Secret } from '../secrets';
import { sealingKeysFormat } from './sealing-keys';

export type Env = ReferenceContext['env'];

export interface EnvironmentValues {
  /** Origin of the Atlas Administration API. */
  baseUrl: string;
  /** Null when the environment names none. */
  credential: CredentialConfig | null;
  /** Null when the environment holds none. */
  sealingKeys: Secret | null;
  /** Null: the worker is not versioned. */
  deployment: Deployment | null;
}

/** Temporal's Worker Versioning: the version that this worker is. */
export interface Deployment {
  name: string;
  buildId: string;
}

/** Name of the credential that the environment holds. */
export const DEFAULT_CREDENTIAL = 'default';

const BASE_URL = 'MONGODB_ATLAS_BASE_URL';
const DEFAULT_BASE_URL = 'https://cloud.mongodb.com';
const SEALING_KEYS = 'LIVE_MIGRATION_PREP_SEALING_KEYS';
/** As Temporal's Worker Controller for Kubernetes sets them. */
const DEPLOYMENT = { name: 'TEMPORAL_DEPLOYMENT_NAME', buildId: 'TEMPORAL_WORKER_BUILD_ID' };

/** Treats empty variables as unset: docker compose passes missing ones as empty strings. */
export function readEnvironment(env: Env): {
  values: EnvironmentValues;
  problems: string[];
  warnings: string[];
} {
  const url = baseUrlOf(env);
  const credential = credentialOf(env);
  const deployment = deploymentOf(env);
  const sealingKeys = env[SEALING_KEYS] ? secretFromEnv(SEALING_KEYS, env, sealingKeysFormat) : null;
  return {
    values: {
      baseUrl: url?.origin ?? DEFAULT_BASE_URL,
      credential: credential.value,
      sealingKeys,
      deployment: deployment.value,
    },
    problems: [
      ...(url
        ? []
        : [`environment variable ${BASE_URL} is not the address of a server, such as ${DEFAULT_BASE_URL}`]),
      ...credential.problems,
      ...(sealingKeys ? problemsWith(sealingKeys) : []),
      ...deployment.problems,
    ],
    warnings:
      url?.protocol === 'http:' && !isLoopback(url.hostname)
        ? [`${BASE_URL} is http: credentials and tokens cross the network unencrypted`]
        : [],
  };
}

function deploymentOf(env: Env): { value: Deployment | null; problems: string[] } {
  const [name, buildId] = [env[DEPLOYMENT.name], env[DEPLOYMENT.buildId]];
  if (name && buildId) return { value: { name, buildId }, problems: [] };
  if (!name && !buildId) return { value: null, problems: [] };
  const [set, unset] = name ? [DEPLOYMENT.name, DEPLOYMENT.buildId] : [DEPLOYMENT.buildId, DEPLOYMENT.name];
  const problem = `environment variable ${set} is set and ${unset} is not: set both for a versioned worker, or neither`;
  return { value: null, problems: [problem] };
}

/** Null unless it is scheme, host and port: a path or a user name would be ignored. */
function baseUrlOf(env: Env): URL | null {
  const text = env[BASE_URL] || DEFAULT_BASE_URL;
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/` ? url : null;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}

const SERVICE_ACCOUNT = { id: 'MONGODB_ATLAS_CLIENT_ID', secret: 'MONGODB_ATLAS_CLIENT_SECRET' };
const API_KEY = { id: 'MONGODB_ATLAS_PUBLIC_API_KEY', secret: 'MONGODB_ATLAS_PRIVATE_API_KEY' };

function credentialOf(env: Env): { value: CredentialConfig | null; problems: string[] } {
  const [pair, another] = [SERVICE_ACCOUNT, API_KEY].filter(({ id, secret }) => env[id] || env[secret]);
  if (!pair) return { value: null, problems: [] };
  const id = secretFromEnv(pair.id, env, headerFormat);
  const secret = secretFromEnv(pair.secret, env, headerFormat);
  return {
    value:
      pair === API_KEY
        ? { type: 'apiKey', publicKey: id, privateKey: secret }
        : { type: 'serviceAccount', clientId: id, clientSecret: secret },
    problems: another
      ? [
          `both ${pair.id} (service account) and ${another.id} (API key) are in the environment: unset one pair`,
        ]
      : [...problemsWith(id), ...problemsWith(secret)],
  };
}

function problemsWith(secret: Secret): string[] {
  const problem = problemWith(secret);
  return problem === null ? [] : [problem];
}
