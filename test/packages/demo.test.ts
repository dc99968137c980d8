import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { startChildProcess } from '../../dev/temporal/child-process';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { eventually } from '../support/eventually';

const ROOT = path.join(__dirname, '../..');
const ENV = { ...process.env, TEMPORAL_ADDRESS: 'production.invalid:7233' };

/** The demo with a temporary folder of its own, so that what it leaves behind is seen. */
function startDemo(...args: string[]) {
  const temporaryFolder = newFolder();
  const command = ['--import', 'tsx', path.join(ROOT, 'dev/demo/index.ts'), ...args];
  const env = { ...ENV, TMPDIR: temporaryFolder };
  const demo = startChildProcess(process.execPath, command, {
    env,
    logFile: path.join(newFolder(), 'log'),
  });
  cleanUpLater(() => demo.end('SIGKILL'));
  const leftOver = () =>
    readdirSync(temporaryFolder).filter((name) => name.startsWith('live-migration-prep'));
  const find = (log: string, pattern: RegExp) =>
    pattern.exec(readFileSync(path.join(temporaryFolder, leftOver()[0] ?? '', log), 'utf8'))?.[1] ??
    '';
  return {
    ...demo,
    leftOver,
    /** Addresses of the Temporal server's UI and of the worker's health server. */
    urls: () => [find('temporal.log', /UI: +(\S+)/), find('worker.log', /"health":"([^"]+)/)],
  };
}

async function areServed(urls: string[]): Promise<boolean[]> {
  const responses = await Promise.allSettled(urls.map((url) => fetch(url)));
  return responses.map(({ status }) => status === 'fulfilled');
}

describe('npm run demo', () => {
  it.concurrent('tells its four parts on one screen, and leaves nothing', async () => {
    const demo = startDemo();
    expect(await demo.exited).toMatchObject({ code: 0 });
    const [, ...parts] = demo.output().split(/^Part \d: /m);
    expect(parts).toEqual([
      expect.stringMatching(
        // A slow machine sees a line of progress first.
        /^a clean run\n\$ live-migration-prep start .* --wait\n[^]*^delivered [^]*unconfirmed +0/m,
      ),
      expect.stringMatching(/^Atlas responds 500 twice[^]*\ndelivered [^]*unconfirmed +2/),
      expect.stringMatching(/^Atlas responds 403[^]*AtlasRequestRejected: [^]*192\.0\.2\.1/),
      expect.stringMatching(
        /^two hours later[^]*\n(\S+ {2}[a-z]{8} {2}\S+ {2}delivered: .*\n|\S+ {2}[a-z]{8} {2}\S+ {2}orphan: .*\n){3}[^]*mode 0600/,
      ),
    ]);
    expect(demo.output().split('\n').length).toBeLessThanOrEqual(40);
    expect(demo.leftOver()).toEqual([]);
  });

  it.concurrent('leaves nothing after Ctrl-C in the middle of a part', async () => {
    const demo = startDemo();
    await demo.untilOutput(/Part 1/);
    const urls = demo.urls();
    expect(await areServed(urls)).toEqual([true, true]);
    // As npm does with a Ctrl-C.
    await Promise.all([demo.end('SIGINT'), demo.end('SIGINT')]);
    expect(await demo.exited).toEqual({ code: 130, signal: null });
    expect(demo.leftOver()).toEqual([]);
    expect(await areServed(urls)).toEqual([false, false]);
  });

  it.concurrent(
    '--keep prints commands that work; when it is killed, its processes end too',
    async () => {
      const demo = startDemo('--keep');
      const [, instructions = ''] = await demo.untilOutput(
        /In another terminal([^]*dist\/client.js redeliver.*)/,
      );
      // A machine may lack curl, which this function stands in for.
      const curl = `curl() { node -e 'fetch(process.argv[2], { method: "POST", body: process.argv[1] })' "$2" "$3"; }`;
      const commands = instructions.match(/^ {2}(export|curl|node) .*/gm) ?? [];
      const script = [curl, ...commands]
        .join('\n')
        .replace(/--sink rejects --wait$/m, '$& 2>&1 || echo "exit code $?"');
      const output = execFileSync('sh', ['-ec', script], { cwd: ROOT, env: ENV, encoding: 'utf8' });
      expect(output).toMatch(
        /started [^]*\ndelivered [^]*unconfirmed +3[^]*SinkRejected: [^]*exit code 5\ndelivered /,
      );

      const urls = demo.urls();
      expect(await areServed(urls)).toEqual([true, true]);
      await demo.end('SIGKILL');
      await eventually(
        'the end of its processes',
        async () => !(await areServed(urls)).includes(true),
      );
    },
  );
});
