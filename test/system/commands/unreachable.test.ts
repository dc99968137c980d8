import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { freePort } from '../../../dev/temporal/free-port';
import { cleanUpLater } from '../../support/clean-up';
import { newOrgId } from '../../support/ids';
import { sharedTemporal } from '../../support/installation';
import { objectIn, run } from '../../support/run-command';

const target = ['--org', newOrgId()];
const request = [...target, '--ip', '192.31.196.7', '--sink', 'files'];

async function silentServer(): Promise<number> {
  // gRPC leaves its connection open after a timeout, which must not keep this process from ending.
  const server = createServer((socket) => socket.unref()).listen(0, '127.0.0.1');
  cleanUpLater(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('exit code 3, with the address and what to set, when', () => {
  it.each<[where: string, port: () => Promise<number>, command: string[]]>([
    ['start: nothing listens', freePort, ['start', ...request]],
    ['watch: something listens and is silent', silentServer, ['watch', ...target]],
    ['list: nothing listens', freePort, ['list']],
    ['schedule create: nothing listens', freePort, ['schedule', 'create', ...request, '--cron', '0 6 1 1 *']],
  ])('%s', async (_where, port, command) => {
    const address = `127.0.0.1:${await port()}`;
    const exit = await run(['--json', ...command], embeddedEnv(address));
    expect(exit.code).toBe(3);
    expect(exit.stderr).toContain(`cannot reach Temporal at ${address}, namespace default`);
    expect(exit.stderr).toContain(
      'start it, or correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY or the TEMPORAL_TLS variables',
    );
    expect(objectIn(exit)).toEqual({ error: expect.stringContaining('cannot reach Temporal') });
  });

  it.each([
    ['start', request],
    ['watch', target],
    ['list', ['--requests']],
  ])('%s: the namespace is not there, so nothing goes on', async (command, options) => {
    const { address } = await sharedTemporal();
    const env = { ...embeddedEnv(address), TEMPORAL_NAMESPACE: 'nowhere' };
    const { code, stderr } = await run([command, ...options], env);
    expect(stderr).toMatch(
      new RegExp(
        `cannot reach Temporal at ${address}, namespace nowhere, without TLS \\(.*not found.*\\): .*TEMPORAL_NAMESPACE.*\n$`,
      ),
    );
    expect(code).toBe(3);
  });
});
