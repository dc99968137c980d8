import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { freePort } from '../../../dev/temporal/free-port';
import { newOrgId } from '../../support/ids';
import { objectIn, run } from '../../support/run-command';
import { serveSocket } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';

const target = ['--org', newOrgId()];
const request = [...target, '--ip', '192.31.196.7', '--sink', 'files'];

async function silentPort(): Promise<number> {
  const server = await serveSocket(() => undefined);
  return server.port;
}

describe('exit code 3, with the address and what to set, when', () => {
  it.concurrent.each<[where: string, port: () => Promise<number>, command: string[]]>([
    ['start: nothing listens', freePort, ['start', ...request]],
    ['watch: something listens and is silent', silentPort, ['watch', ...target]],
    ['list: nothing listens', freePort, ['list']],
    ['schedule create: nothing listens', freePort, ['schedule', 'create', ...request, '--cron', '0 6 1 1 *']],
  ])('%s', async (_where, port, command) => {
    const address = `127.0.0.1:${await port()}`;
    const nowhere = embeddedEnv('127.0.0.1:1');
    const exit = await run(['--json', '--address', address, '--namespace', 'other', ...command], nowhere);
    expect(exit.code).toBe(3);
    expect(exit.stderr).toContain(`cannot reach Temporal at ${address}, namespace other`);
    expect(objectIn(exit)).toEqual({
      error: expect.stringContaining('start it, or correct TEMPORAL_'),
    });
  });

  it.concurrent.each([
    ['start', request],
    ['watch', target],
    ['list', ['--requests']],
  ])('%s: the namespace is not there, so nothing goes on', async (command, options) => {
    const { address } = await sharedTemporal();
    const { code, stderr } = await run(['--namespace', 'nowhere', command, ...options], embeddedEnv(address));
    expect(stderr).toMatch(
      new RegExp(
        `^live-migration-prep: cannot reach Temporal at ${address}, namespace nowhere, without TLS \\(.*not found.*\\): .*TEMPORAL_NAMESPACE.*\n$`,
      ),
    );
    expect(code).toBe(3);
  });
});
