import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../dev/temporal/free-port';
import { startTethered } from '../../../dev/temporal/tethered-process';
import { blockOf } from './docs';

/** A real OpenBao that keeps what it has on disk, so that it survives being killed; it starts sealed, as always. */
export interface Bao {
  readonly port: number;
  readonly rootToken: string;
  /** Calls OpenBao as root, below `/v1/`; returns the parsed body, or null. Throws for a status above 299 other than 404. */
  ask(
    method: string,
    path: string,
    body?: object,
    headers?: Record<string, string>,
  ): Promise<BaoResponse | null>;
  seal(): Promise<void>;
  unseal(): Promise<void>;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface BaoResponse {
  data: Record<string, unknown>;
  auth: { client_token: string };
}

export async function startBao(bao: string): Promise<Bao> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sink-bao-'));
  const [port, clusterPort] = [await freePort(), await freePort()];
  const config = path.join(folder, 'config.json');
  const address = `http://127.0.0.1:${port}`;
  await writeFile(
    config,
    JSON.stringify({
      storage: { raft: { path: folder, node_id: 'one' } },
      listener: { tcp: { address: `127.0.0.1:${port}`, tls_disable: true } },
      api_addr: address,
      cluster_addr: `http://127.0.0.1:${clusterPort}`,
    }),
  );
  let starts = 0;
  async function start() {
    const logFile = path.join(folder, `bao-${(starts += 1)}.log`);
    const server = startTethered(bao, ['server', `-config=${config}`], { env: process.env, logFile });
    await server.untilOutput(/server started/);
    return server;
  }
  let server = await start();

  async function request(
    method: string,
    below: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<unknown> {
    const response = await fetch(`${address}/v1/${below}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`${method} ${below}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  const made = (await request('POST', 'sys/init', { secret_shares: 1, secret_threshold: 1 })) as {
    keys: string[];
    root_token: string;
  };

  /** Active some moments after it is unsealed. */
  async function unseal(): Promise<void> {
    await request('POST', 'sys/unseal', { key: made.keys[0] });
    for (let tries = 0; tries < 100; tries++) {
      const { status } = await fetch(`${address}/v1/sys/health`);
      if (status === 200) return;
      await sleep(50);
    }
    throw new Error('OpenBao does not become active');
  }

  await unseal();
  return {
    port,
    rootToken: made.root_token,
    ask: (method, below, body, headers) =>
      request(method, below, body, {
        'x-vault-token': made.root_token,
        ...headers,
      }) as Promise<BaoResponse | null>,
    async seal() {
      await request('PUT', 'sys/seal', undefined, { 'x-vault-token': made.root_token });
    },
    unseal,
    async kill() {
      await server.end('SIGKILL');
    },
    async restart() {
      server = await start();
      await unseal();
    },
    async stop() {
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A key/value engine of version 2 at `secret`, and a policy `worker`, that of docs/sinks/vault.md. */
export async function prepareForWorker(bao: Bao): Promise<void> {
  await bao.ask('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await bao.ask('PUT', 'sys/policies/acl/worker', { policy: blockOf('vault', 'hcl') });
  await bao.ask('POST', 'sys/auth/approle', { type: 'approle' });
}

/** A token with the policy `worker`. */
export async function newWorkerToken(bao: Bao, ttl = '1h'): Promise<string> {
  const response = await bao.ask('POST', 'auth/token/create', { policies: ['worker'], ttl });
  return (response as BaoResponse).auth.client_token;
}

/** The data of each version at a path, the oldest first; null for a deleted one. */
export async function versionsAt(bao: Bao, secretPath: string): Promise<(Record<string, unknown> | null)[]> {
  const metadata = await bao.ask('GET', `secret/metadata/${secretPath}`);
  const numbers = Object.keys(metadata?.data['versions'] ?? {});
  return Promise.all(
    numbers.map(async (number) => {
      const version = await bao.ask('GET', `secret/data/${secretPath}?version=${number}`);
      return (version?.data['data'] ?? null) as Record<string, unknown> | null;
    }),
  );
}
