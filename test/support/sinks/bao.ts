import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort } from '../../../dev/temporal/free-port';
import { startTethered } from '../../../dev/temporal/tethered-process';
import { cleanUpLater, newFolder } from '../clean-up';
import { eventually } from '../eventually';
import { blockOf } from './docs';
import { toolPath } from './tools';

interface BaoResponse {
  data: Record<string, unknown>;
  auth: { client_token: string };
}

export type Bao = Awaited<ReturnType<typeof startBao>>;

/**
 * Starts a real OpenBao with a key/value engine of version 2 at `secret`, and a policy `worker`, that of
 * docs/sinks/vault.md. It keeps what it has on disk, so that it survives being killed; it starts sealed, as always.
 */
export async function startBao() {
  const folder = newFolder();
  const program = toolPath('bao');
  const [port, clusterPort] = [await freePort(), await freePort()];
  const config = path.join(folder, 'config.json');
  const address = `http://127.0.0.1:${port}`;
  const settings = {
    storage: { raft: { path: folder, node_id: 'one' } },
    listener: { tcp: { address: `127.0.0.1:${port}`, tls_disable: true } },
    api_addr: address,
    cluster_addr: `http://127.0.0.1:${clusterPort}`,
  };
  writeFileSync(config, JSON.stringify(settings));
  let starts = 0;
  async function start() {
    const logFile = path.join(folder, `bao-${(starts += 1)}.log`);
    const started = startTethered(program, ['server', `-config=${config}`], { env: process.env, logFile });
    await started.untilOutput(/server started/);
    return started;
  }
  let server = await start();
  cleanUpLater(() => server.end('SIGKILL'));
  let rootToken = '';

  /** Calls OpenBao as root, below `/v1/`; returns the parsed body, or null. Throws for a status above 299 but 404. */
  async function ask(method: string, below: string, body?: object, headers: Record<string, string> = {}) {
    const response = await fetch(`${address}/v1/${below}`, {
      method,
      headers: { 'content-type': 'application/json', 'x-vault-token': rootToken, ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`${method} ${below}: ${response.status} ${text}`);
    return text ? (JSON.parse(text) as BaoResponse) : null;
  }

  const made: unknown = await ask('POST', 'sys/init', { secret_shares: 1, secret_threshold: 1 });
  const { keys, root_token } = made as { keys: string[]; root_token: string };
  rootToken = root_token;

  /** It is active some moments after it is unsealed. */
  async function unseal(): Promise<void> {
    await ask('POST', 'sys/unseal', { key: keys[0] });
    await eventually('an active OpenBao', async () => (await fetch(`${address}/v1/sys/health`)).ok);
  }

  await unseal();
  await ask('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  await ask('PUT', 'sys/policies/acl/worker', { policy: blockOf('vault', 'hcl') });
  await ask('POST', 'sys/auth/approle', { type: 'approle' });
  return {
    program,
    port,
    rootToken,
    ask,
    unseal,
    seal: () => ask('PUT', 'sys/seal'),
    kill: () => server.end('SIGKILL'),
    async restart() {
      server = await start();
      await unseal();
    },
  };
}

/** Creates a token with the policy `worker`. */
export async function newWorkerToken(bao: Bao): Promise<string> {
  const response = await bao.ask('POST', 'auth/token/create', { policies: ['worker'] });
  return response?.auth.client_token ?? '';
}

/** Reads the data of each version at a path, the oldest first; null for a deleted one. */
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
