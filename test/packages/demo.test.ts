import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { eventually } from '../support/eventually';

const ROOT = path.join(__dirname, '../..');

/** The demo with a temporary folder of its own, so that what it leaves behind is seen. */
function startDemo(...args: string[]) {
  const temporaryFolder = newFolder();
  const child = spawn(process.execPath, ['--import', 'tsx', 'dev/demo/index.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: temporaryFolder, TEMPORAL_ADDRESS: 'production.invalid:7233' },
  });
  cleanUpLater(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const exited = once(child, 'close').then(([code]) => code as number | null);
  const leftOver = () =>
    readdirSync(temporaryFolder).filter((name) => name.startsWith('live-migration-prep'));
  /** Finds a port in one of the demo's logs. */
  const port = (log: string, pattern: RegExp) =>
    Number(pattern.exec(readFileSync(path.join(temporaryFolder, leftOver()[0] ?? '', log), 'utf8'))?.[1]);
  return {
    child,
    exited,
    output: () => output,
    untilPrinted: (text: string) => eventually(text, () => output.includes(text)),
    leftOver,
    /** Addresses of the Temporal server and of the worker's health server. */
    ports: () => [
      port('temporal.log', /Temporal Server: +\S+:(\d+)/),
      port('worker.log', /"health":"http:\/\/127\.0\.0\.1:(\d+)"/),
    ],
  };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const connected = await once(socket, 'connect').catch(() => null);
  socket.destroy();
  return connected !== null;
}

const areOpen = (ports: number[]) => Promise.all(ports.map(isOpen));

describe('npm run demo', () => {
  it.concurrent('tells its three parts on one screen, and leaves nothing', async () => {
    const demo = startDemo();
    expect(await demo.exited).toBe(0);
    const [, ...parts] = demo.output().split(/^Part \d: /m);
    expect(parts).toEqual([
      expect.stringMatching(
        /^a clean run\n\$ live-migration-prep start .* --wait\nstarted [^]* delivered[^]*unconfirmed +0/,
      ),
      expect.stringMatching(/^Atlas responds 500 twice[^]* delivered[^]*unconfirmed +2/),
      expect.stringMatching(/^Atlas responds 403[^]*AtlasRequestRejected: [^]*192\.0\.2\.1[^]*mode 0600/),
    ]);
    expect(demo.output().split('\n').length).toBeLessThanOrEqual(40);
    expect(demo.leftOver()).toEqual([]);
  });

  it.concurrent('leaves nothing after Ctrl-C in the middle of a part', async () => {
    const demo = startDemo();
    await demo.untilPrinted('Part 1');
    const ports = demo.ports();
    expect(await areOpen(ports)).toEqual([true, true]);
    // As npm does with a Ctrl-C.
    demo.child.kill('SIGINT');
    demo.child.kill('SIGINT');
    expect(await demo.exited).toBe(130);
    expect(demo.leftOver()).toEqual([]);
    expect(await areOpen(ports)).toEqual([false, false]);
  });

  it.concurrent(
    '--keep prints commands that work as they stand; when it is killed, its processes end too',
    async () => {
      const demo = startDemo('--keep');
      await demo.untilPrinted('dist/client.js watch');
      const shown = demo.output().split('In another terminal')[1] ?? '';
      const commands = shown.split('\n').filter((line) => line.startsWith('  '));
      expect(commands.map((command) => command.trim().split(' ')[0])).toEqual([
        ...['export', 'export'],
        ...['curl', 'node', 'node'],
      ]);
      // A machine may lack curl, which this function stands in for.
      const curl = `curl() { node -e 'fetch(process.argv[2], { method: "POST", body: process.argv[1] })' "$2" "$3"; }`;
      const output = execFileSync('sh', ['-ec', [curl, ...commands].join('\n')], {
        cwd: ROOT,
        env: { ...process.env, TEMPORAL_ADDRESS: 'production.invalid:7233' },
        encoding: 'utf8',
      });
      expect(output).toMatch(/started [^]* delivered[^]*unconfirmed +3/);

      const ports = demo.ports();
      expect(await areOpen(ports)).toEqual([true, true]);
      demo.child.kill('SIGKILL');
      await eventually('the end of its processes', async () => !(await areOpen(ports)).includes(true));
    },
  );
});
