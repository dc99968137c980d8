import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { embeddedEnv } from '../../dev/embedded-env';
import { freePort } from '../../dev/free-port';
import { CLIENT, objectIn } from '../support/command-line';
import { cleanUpLater } from '../support/clean-up';
import { runProgram } from '../support/deployment';
import { newOrgId } from '../support/ids';
import { sharedTemporal } from '../support/setting';

jest.setTimeout(60_000);

const target = ['--org', newOrgId()];
const request = [...target, '--sink', 'files'];

async function silentServer(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  cleanUpLater(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('a Temporal that cannot be reached is told within 5 s, with exit code 3:', () => {
  it.each<[where: string, port: () => Promise<number>, command: string[]]>([
    ['nothing listens', freePort, ['start', ...request]],
    ['something listens and is silent', silentServer, ['watch', ...target]],
    ['restart', freePort, ['restart', '--since', '2026-11-25T09:00:00Z']],
    ['schedule create', freePort, ['schedule', 'create', ...request, '--cron', '0 6 1 1 *']],
  ])('%s', async (_where, port, command) => {
    const address = `127.0.0.1:${await port()}`;
    const startedAt = Date.now();
    const exit = await runProgram(CLIENT, ['--json', ...command], embeddedEnv(address));
    expect(Date.now() - startedAt).toBeLessThan(5000);
    expect(exit.code).toBe(3);
    expect(exit.stderr).toContain(`cannot reach Temporal at ${address}, namespace default`);
    expect(exit.stderr).toContain('start it, or set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE');
    expect(objectIn(exit)).toEqual({ error: expect.stringContaining('cannot reach Temporal') as unknown });
  });

  it.each([
    ['start', request],
    ['watch', target],
    ['restart', ['--since', '2026-11-25T09:00:00Z']],
  ])('%s in a namespace that is not there', async (command, options) => {
    const { address } = await sharedTemporal();
    const env = { ...embeddedEnv(address), TEMPORAL_NAMESPACE: 'nowhere' };
    const { code, stderr } = await runProgram(CLIENT, [command, ...options], env);
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: expect.stringContaining(`cannot reach Temporal at ${address}, namespace nowhere`) as unknown,
    });
  });
});
