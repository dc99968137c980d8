import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const ROOT = path.join(__dirname, '..', '..');

/** The demo with a temporary folder of its own, so that what it leaves lying about is seen. */
function startDemo(...args: string[]) {
  const temporaryFolder = mkdtempSync(path.join(os.tmpdir(), 'demo-test-'));
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', 'dev/demo.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: temporaryFolder, TEMPORAL_ADDRESS: 'production.invalid:7233' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const exitCode = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const untilPrinted = async (text: string) => {
    while (!output.includes(text)) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  return {
    child,
    exitCode,
    untilPrinted,
    output: () => output,
    leftOver: () => readdirSync(temporaryFolder).filter((name) => name.startsWith('live-migration-prep')),
    remove: () => rmSync(temporaryFolder, { recursive: true, force: true }),
  };
}

/** Command lines of processes that name the demo's folder, or run its server. */
function processesNaming(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')];
      } catch {
        return [];
      }
    })
    .filter((commandLine) => commandLine.includes(text));
}

describe('npm run demo', () => {
  test('tells its three stories with the endings it promises, and leaves nothing', async () => {
    const demo = startDemo();
    try {
      expect(await demo.exitCode).toBe(0);
      expect(demo.output()).toMatch(/Story 1: a clean run[\s\S]*delivered/);
      expect(demo.output()).toMatch(
        /Story 2[\s\S]*attempt 3; last failure: Atlas answered 500[\s\S]*2 token\(s\)/,
      );
      expect(demo.output()).toMatch(/Story 3[\s\S]*stopped: AtlasRequestRejected: Atlas answered 403/);
      expect(demo.output()).toContain('mode 0600');
      expect(demo.leftOver()).toEqual([]);
    } finally {
      demo.remove();
    }
  }, 60_000);

  test('leaves nothing after Ctrl-C in the middle of a story', async () => {
    const demo = startDemo('--keep');
    try {
      await demo.untilPrinted('Story 2');
      const [folder] = demo.leftOver();
      expect(processesNaming(folder ?? '')).not.toEqual([]);
      demo.child.kill('SIGINT');
      await demo.exitCode;
      expect(demo.leftOver()).toEqual([]);
      expect(processesNaming(folder ?? '')).toEqual([]);
    } finally {
      demo.remove();
    }
  }, 60_000);
});
