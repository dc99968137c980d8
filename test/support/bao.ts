import path from 'node:path';
import { startChildProcess } from '../../dev/temporal/child-process';
import { freePort } from '../../dev/temporal/free-port';
import { cleanUpLater, newFolder } from './clean-up';
import { eventually } from './eventually';
import { fetchOnce } from './fetch-once';
import { toolPath } from './tools';

interface BaoResponse {
  data: Record<string, unknown>;
  auth: { client_token: string };
}

const ROOT_TOKEN = 'root-of-the-tests';

/** Starts a real OpenBao with a key/value engine of version 2 at `secret`. */
export async function startBao() {
  const program = toolPath('bao');
  const host = `127.0.0.1:${await freePort()}`;
  const flags = ['-dev', '-dev-no-store-token', `-dev-root-token-id=${ROOT_TOKEN}`];
  const server = startChildProcess(program, ['server', ...flags, `-dev-listen-address=${host}`], {
    env: process.env,
    logFile: path.join(newFolder(), 'bao.log'),
  });
  cleanUpLater(() => server.end('SIGKILL'));
  const [, key] = await server.untilOutput(/Unseal Key: (\S+)/);

  /**
   * Calls OpenBao as root, below `/v1/`; returns the parsed body, or null. Throws for a status
   * above 299 but 404.
   */
  async function ask(
    method: string,
    below: string,
    body?: object,
    headers: Record<string, string> = {},
  ) {
    const response = await fetch(`http://${host}/v1/${below}`, {
      method,
      headers: { 'content-type': 'application/json', 'x-vault-token': ROOT_TOKEN, ...headers },
      body: body ? JSON.stringify(body) : null,
    });
    const text = await response.text();
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`${method} ${below}: ${response.status} ${text}`);
    return text ? (JSON.parse(text) as BaoResponse) : null;
  }

  return {
    program,
    host,
    rootToken: ROOT_TOKEN,
    ask,
    /** Starts OpenBao's own agent; it is gone after the last test. */
    startAgent(configFile: string) {
      const logFile = path.join(newFolder(), 'agent.log');
      const agent = startChildProcess(program, ['agent', `-config=${configFile}`], {
        env: process.env,
        logFile,
      });
      cleanUpLater(() => agent.end('SIGKILL'));
      return agent;
    },
    seal: () => ask('PUT', 'sys/seal'),
    /** Resolves once it is active, some moments later. */
    async unseal() {
      await ask('POST', 'sys/unseal', { key });
      await eventually(
        'an active OpenBao',
        async () => (await fetchOnce(`http://${host}/v1/sys/health`)).ok,
      );
    },
    /** Reads the data of each version at a path, the oldest first. */
    async versionsAt(secretPath: string) {
      const metadata = await ask('GET', `secret/metadata/${secretPath}`);
      const numbers = Object.keys(metadata?.data['versions'] ?? {});
      const versions = numbers.map((number) =>
        ask('GET', `secret/data/${secretPath}?version=${number}`),
      );
      return (await Promise.all(versions)).map(
        (version) => version?.data['data'] as Record<string, unknown>,
      );
    },
  };
}
