import { ProxyAgent } from 'undici';
import type { Env } from '../secrets/read-secret';

const SERVICE_ACCOUNT = { id: 'MONGODB_ATLAS_CLIENT_ID', secret: 'MONGODB_ATLAS_CLIENT_SECRET' };
const API_KEY = { id: 'MONGODB_ATLAS_PUBLIC_API_KEY', secret: 'MONGODB_ATLAS_PRIVATE_API_KEY' };
/** The variables that Temporal's Worker Controller for Kubernetes sets. */
const DEPLOYMENT_NAME = 'TEMPORAL_DEPLOYMENT_NAME';
const BUILD_ID = 'TEMPORAL_WORKER_BUILD_ID';
const PROXIES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

/**
 * Returns the defaults that the environment has for settings of the file: references to its
 * variables. An empty variable counts as unset: docker compose passes missing ones as empty
 * strings.
 */
export function environmentDefaults(env: Env) {
  const reference = (name: string) => (env[name] ? { env: name } : undefined);
  return {
    baseUrl: reference('MONGODB_ATLAS_BASE_URL'),
    credentials: defaultCredential(env),
    sealingKeys: reference('LIVE_MIGRATION_PREP_SEALING_KEYS'),
  };
}

function defaultCredential(env: Env): { default?: object } {
  const [variables] = findCredentials(env);
  if (!variables) return {};
  const id = { env: variables.id };
  const secret = { env: variables.secret };
  if (variables === API_KEY) {
    return { default: { type: 'apiKey', publicKey: id, privateKey: secret } };
  }
  return { default: { type: 'serviceAccount', clientId: id, clientSecret: secret } };
}

function findCredentials(env: Env) {
  return [SERVICE_ACCOUNT, API_KEY].filter(({ id, secret }) => env[id] || env[secret]);
}

/** Reads the version of the worker; null when it is not versioned. */
export function readDeployment(env: Env): { name: string; buildId: string } | null {
  const name = env[DEPLOYMENT_NAME];
  const buildId = env[BUILD_ID];
  return name && buildId ? { name, buildId } : null;
}

/** Finds variables that contradict each other, would break every request, or would expose it. */
export function findEnvironmentProblems(env: Env): string[] {
  const problems: string[] = [];
  const [variables, otherVariables] = findCredentials(env);
  if (variables && otherVariables) {
    problems.push(
      `both ${variables.id} (service account) and ${otherVariables.id} (API key) are set:` +
        ' unset one pair',
    );
  }
  if (Boolean(env[DEPLOYMENT_NAME]) !== Boolean(env[BUILD_ID])) {
    const set = env[DEPLOYMENT_NAME] ? DEPLOYMENT_NAME : BUILD_ID;
    const unset = env[DEPLOYMENT_NAME] ? BUILD_ID : DEPLOYMENT_NAME;
    problems.push(
      `environment variable ${set} is set without ${unset}:` +
        ' set both, for a versioned worker, or neither',
    );
  }
  for (const name of PROXIES) {
    try {
      if (env[name]) new ProxyAgent(env[name]);
    } catch (error) {
      problems.push(
        `environment variable ${name} is not a proxy's address,` +
          ` such as http://proxy:3128 (${(error as Error).message})`,
      );
    }
  }
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    problems.push(
      'environment variable NODE_TLS_REJECT_UNAUTHORIZED lets anybody between the worker' +
        ' and Atlas read its credentials: unset it,' +
        ' and name the file of your certificate authority in NODE_EXTRA_CA_CERTS',
    );
  }
  return problems;
}
