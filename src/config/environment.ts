import { ProxyAgent } from 'undici';
import type { CredentialConfig } from '../atlas/credential';
import {
  headerFormat,
  problemWith,
  secretFromEnv,
  type Env,
  type Secret,
  type SecretFormat,
} from '../secrets/references';
import { sealingKeysFormat } from '../secrets/sealing';

export interface Deployment {
  name: string;
  buildId: string;
}

export interface EnvironmentValues {
  /** Origin of the Atlas Administration API. */
  baseUrl: string;
  credential: CredentialConfig | null;
  sealingKeys: Secret | null;
  /** Null when the worker is not versioned. */
  deployment: Deployment | null;
}

/** Name of the credential that the environment holds. */
export const DEFAULT_CREDENTIAL = 'default';

const BASE_URL = 'MONGODB_ATLAS_BASE_URL';
const DEFAULT_BASE_URL = 'https://cloud.mongodb.com';
const SERVICE_ACCOUNT = { id: 'MONGODB_ATLAS_CLIENT_ID', secret: 'MONGODB_ATLAS_CLIENT_SECRET' };
const API_KEY = { id: 'MONGODB_ATLAS_PUBLIC_API_KEY', secret: 'MONGODB_ATLAS_PRIVATE_API_KEY' };
const SEALING_KEYS = 'LIVE_MIGRATION_PREP_SEALING_KEYS';
/** The variables that Temporal's Worker Controller for Kubernetes sets. */
const DEPLOYMENT = { name: 'TEMPORAL_DEPLOYMENT_NAME', buildId: 'TEMPORAL_WORKER_BUILD_ID' };

/** An empty variable counts as unset: docker compose passes missing ones as empty strings. */
export function readEnvironment(env: Env) {
  const problems: string[] = [];
  const values: EnvironmentValues = {
    baseUrl: readBaseUrl(env, problems),
    credential: readCredential(env, problems),
    sealingKeys: env[SEALING_KEYS] ? readSecret(env, SEALING_KEYS, sealingKeysFormat, problems) : null,
    deployment: readDeployment(env, problems),
  };
  checkHttpVariables(env, problems);
  const { protocol, hostname } = new URL(values.baseUrl);
  const warnings =
    protocol === 'http:' && !isLoopback(hostname)
      ? [`${BASE_URL} is http: credentials and tokens cross the network unencrypted`]
      : [];
  return { values, problems, warnings };
}

const PROXIES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

/** Finds variables that would break every request, or expose it. */
function checkHttpVariables(env: Env, problems: string[]): void {
  for (const name of PROXIES) {
    try {
      if (env[name]) new ProxyAgent(env[name]);
    } catch (error) {
      problems.push(
        `environment variable ${name} is not the address of a proxy, such as http://proxy:3128` +
          ` (${(error as Error).message})`,
      );
    }
  }
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    problems.push(
      'environment variable NODE_TLS_REJECT_UNAUTHORIZED lets anybody between the worker and Atlas read its' +
        ' credentials: unset it, and name your authority in NODE_EXTRA_CA_CERTS',
    );
  }
}

/** Accepts scheme, host and port only: a path or a user name would be ignored. */
function readBaseUrl(env: Env, problems: string[]): string {
  const text = env[BASE_URL] || DEFAULT_BASE_URL;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  problems.push(
    `environment variable ${BASE_URL} is not the address of a server, such as ${DEFAULT_BASE_URL}`,
  );
  return DEFAULT_BASE_URL;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function readCredential(env: Env, problems: string[]): CredentialConfig | null {
  const [pair, another] = [SERVICE_ACCOUNT, API_KEY].filter(({ id, secret }) => env[id] || env[secret]);
  if (!pair) return null;
  if (another) {
    problems.push(
      `both ${pair.id} (service account) and ${another.id} (API key) are in the environment: unset one pair`,
    );
    return null;
  }
  const id = readSecret(env, pair.id, headerFormat, problems);
  const secret = readSecret(env, pair.secret, headerFormat, problems);
  return pair === API_KEY
    ? { type: 'apiKey', publicKey: id, privateKey: secret }
    : { type: 'serviceAccount', clientId: id, clientSecret: secret };
}

function readSecret(env: Env, name: string, format: SecretFormat, problems: string[]) {
  const secret = secretFromEnv(name, env, format);
  const problem = problemWith(secret);
  if (problem !== null) problems.push(problem);
  return secret;
}

function readDeployment(env: Env, problems: string[]): Deployment | null {
  const [name, buildId] = [env[DEPLOYMENT.name], env[DEPLOYMENT.buildId]];
  if (name && buildId) return { name, buildId };
  if (!name && !buildId) return null;
  const [set, unset] = name ? [DEPLOYMENT.name, DEPLOYMENT.buildId] : [DEPLOYMENT.buildId, DEPLOYMENT.name];
  problems.push(
    `environment variable ${set} is set and ${unset} is not: set both for a versioned worker, or neither`,
  );
  return null;
}
