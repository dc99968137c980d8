import { Client, Connection } from '@temporalio/client';
import { credentialEnv, startTestAtlas, type CredentialType, type TestAtlas } from './atlas';
import { cleanUpLater } from './clean-up';
import {
  FILE_SINKS,
  createDeployment,
  type Config,
  type Deployment,
  type DeploymentOptions,
} from './deployment';
import { eventually } from './eventually';
import { SHARED_TEMPORAL_ADDRESS } from './shared-temporal';
import type { WorkerProcess } from './worker-process';

interface SharedTemporal {
  address: string;
  client: Client;
}

let connecting: Promise<SharedTemporal> | undefined;

/** The server that all test files share. */
export function sharedTemporal(): Promise<SharedTemporal> {
  connecting ??= connect();
  return connecting;
}

async function connect(): Promise<SharedTemporal> {
  const address = process.env[SHARED_TEMPORAL_ADDRESS];
  if (!address) throw new Error('jest started without its global set-up');
  const connection = await Connection.connect({ address, channelArgs: { 'grpc.enable_http_proxy': 0 } });
  cleanUpLater(() => connection.close());
  return { address, client: new Client({ connection }) };
}

/** Temporal's list, and its number of runs, lag behind by moments. */
export async function untilListed(query: string, runs: number): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually(`${runs} listed runs`, async () => (await client.workflow.count(query)).count === runs);
}

/** {@link startTestAtlas}, closed after the last test. */
export async function startAtlas(options?: Parameters<typeof startTestAtlas>[0]): Promise<TestAtlas> {
  const atlas = await startTestAtlas(options);
  cleanUpLater(() => atlas.close());
  return atlas;
}

export interface Installation {
  atlas: TestAtlas;
  deployment: Deployment;
  worker: WorkerProcess;
}

interface DeployOptions {
  atlas: Pick<TestAtlas, 'url' | 'account'>;
  credential?: CredentialType;
  config?: Config;
  env?: Record<string, string>;
  temporal?: DeploymentOptions['temporal'];
}

/** {@link createDeployment} for an emulator, gone after the last test. */
export async function deploy({
  atlas,
  credential = 'serviceAccount',
  config = {},
  env = {},
  temporal,
}: DeployOptions): Promise<Deployment> {
  const deployment = createDeployment({
    temporal: temporal ?? (await sharedTemporal()),
    atlasUrl: atlas.url,
    orgId: atlas.account.orgId,
    env: { ...credentialEnv(atlas.account, credential), ...env },
    config,
  });
  cleanUpLater(() => deployment.dispose());
  return deployment;
}

/** An emulator, and an installation with {@link FILE_SINKS} and a worker that takes work; gone after the last test. */
export async function startInstallation({
  atlas: options,
  config,
  ...more
}: Omit<DeployOptions, 'atlas'> & {
  atlas?: Parameters<typeof startTestAtlas>[0];
} = {}): Promise<Installation> {
  const atlas = await startAtlas(options);
  const deployment = await deploy({ atlas, config: { sinks: FILE_SINKS, ...config }, ...more });
  return { atlas, deployment, worker: await deployment.startWorker() };
}
