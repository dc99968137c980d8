/**
 * Runs three examples on a Temporal server, the Atlas emulator, a worker process and its file sink.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { workflowIdFor } from '../../src/contract/workflow-id';
import { DEFAULT_TASK_QUEUE } from '../../src/contract/workflows';
import { findKeysCommand } from '../../src/shared/command-line';
import { DEFAULTS, startAtlasEmulator, type AtlasEmulator, type Fault } from '../atlas-emulator';
import { startDemoWorker } from '../support/demo-worker';
import { wrongClock } from '../support/wrong-clock';
import { startDevServer } from '../temporal/dev-server';
import { devServerEnv, temporalEnv } from '../temporal/dev-server-env';

const CLIENT = path.join(__dirname, '../../dist/client.js');

const PARTS: { title: string; faults: Fault[]; exitCode: number }[] = [
  { title: 'a clean run', faults: [], exitCode: 0 },
  {
    title:
      'Atlas responds 500 twice, so the run makes further attempts and counts two tokens that may exist',
    // One of the two requests created a token all the same.
    faults: [
      { on: 'linkTokens', status: 500, afterCreating: true },
      { on: 'linkTokens', status: 500 },
    ],
    exitCode: 0,
  },
  {
    title:
      'Atlas responds 403, which a retry would not change, so the run fails at once and says what to do',
    faults: [
      {
        on: 'linkTokens',
        errorCode: 'IP_ADDRESS_NOT_ON_ACCESS_LIST',
        detail: 'IP address 192.0.2.1 is not allowed to access this resource.',
      },
    ],
    exitCode: 1,
  },
];

/** A source organization for each run, since it is part of the workflow id. */
const sourceOrgOf = (run: number) => `64f1c0ffee5eed0000005c0${run}`;
const nameOf = (run: number) => `${DEFAULTS.orgId}/${sourceOrgOf(run)}`;
const startCommand = (run: number, sink = 'drop') => [
  'start',
  '--org',
  DEFAULTS.orgId,
  '--source-org',
  sourceOrgOf(run),
  '--no-access-list',
  '--sink',
  sink,
];

const { keep } = new Command('npm run demo --')
  .description(
    'Shows what live-migration-prep does, on a Temporal server and an emulated Atlas of its own.',
  )
  .option('--keep', 'leave everything running, with the Temporal UI, until Ctrl-C', false)
  .showHelpAfterError()
  .parse()
  .opts<{ keep: boolean }>();

const interruption = new AbortController();
const { signal } = interruption;
// Each time: npm may pass a Ctrl-C on a second time, and the tokens and keys must be removed all
// the same.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interruption.abort());

/** Called in reverse order, whether the demo succeeds, fails or is interrupted. */
const cleanups: (() => unknown)[] = [];

async function demo(): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-demo-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));

  say('Starting a Temporal server, the Atlas emulator and a worker');
  const temporal = await startDevServer({ ui: true, logFile: path.join(folder, 'temporal.log') });
  cleanups.push(() => temporal.stop());
  const atlas = await startAtlasEmulator();
  cleanups.push(() => atlas.close());
  const worker = await startDemoWorker({
    folder,
    temporalAddress: temporal.address,
    atlasUrl: atlas.url,
  });
  cleanups.push(() => worker.stop());

  const env = devServerEnv(temporal.address);
  for (const [index, { title, faults, exitCode }] of PARTS.entries()) {
    const part = index + 1;
    say(`\nPart ${part}: ${title}`);
    atlas.faults(faults);
    const command = [...startCommand(part), '--wait'];
    say(`$ live-migration-prep ${command.join(' ')}`);
    // Not the whole receipt, nor each attempt: the demo fits a screen.
    const code = await runClient(command, env, (line) => {
      const isLeftOut = /^ {2}(?!token is in|API key|unconfirmed|atlas)/.test(line);
      if (!isLeftOut) say(line);
    });
    if (code !== exitCode) throw new Error(`part ${part} ended with exit code ${code}`);
  }

  say(
    `\nPart ${PARTS.length + 1}: two hours later, one API key in Atlas turns out to be an orphan`,
  );
  say(`$ ${findKeysCommand(workflowIdFor(DEFAULTS))}`);
  const command = ['api-keys', '--org', DEFAULTS.orgId, '--keys', '-'];
  const later = { ...env, ...wrongClock(2 * 3_600_000) };
  await runClient(command, later, say, JSON.stringify(listKeys(atlas)));

  const tokens = path.join(folder, 'tokens');
  const { mode, size } = statSync(path.join(tokens, readdirSync(tokens)[0] ?? ''));
  const facts = `mode 0${(mode & 0o777).toString(8)}, ${size} bytes`;
  say(`\nEach token is only in the file that its receipt names (${facts}).`);

  if (!keep) {
    say('See the same runs in the Temporal UI, and try more: npm run demo -- --keep');
    return;
  }
  const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_CONFIG_FILE } = temporalEnv(
    temporal.address,
  );
  // examples/request.json has the number between them.
  const [retried, undelivered] = [PARTS.length + 1, PARTS.length + 3];
  const client = (...args: string[]) => `node dist/client.js ${args.join(' ')}`;
  say(`Temporal UI: ${temporal.uiUrl}; task queue: ${DEFAULT_TASK_QUEUE}; files: ${folder}
The tab User Metadata of a run says where it stands.
Everything runs until Ctrl-C. In another terminal, in this folder:
  export TEMPORAL_ADDRESS=${TEMPORAL_ADDRESS} TEMPORAL_NAMESPACE=${TEMPORAL_NAMESPACE}
  export TEMPORAL_CONFIG_FILE="${TEMPORAL_CONFIG_FILE}"
Where a message says live-migration-prep, type node dist/client.js.
Let Atlas fail three times, start a run, and follow it:
  curl -d '{"on": "linkTokens", "times": 3, "status": 503}' ${atlas.url}/_emulator/faults
  ${client(...startCommand(retried))}
  ${client('watch', nameOf(retried))}
The sink rejects fails on purpose, and doctor --remote shows it as an error. Start a run with it, then deliver its token to drop:
  ${client(...startCommand(undelivered, 'rejects'), '--wait')}
  ${client('redeliver', nameOf(undelivered), '--sink', 'drop')}
Callers in TypeScript, Python and Go: examples/README.md`);
  if (!signal.aborted) await once(signal, 'abort');
}

/** Lists the API keys as the Atlas CLI does, which this machine may lack. */
function listKeys(atlas: AtlasEmulator) {
  const roles = [{ orgId: DEFAULTS.orgId, roleName: 'ORG_OWNER' }];
  const results = atlas.createdTokens().map(({ apiKey }) => ({ ...apiKey, roles }));
  return { results, totalCount: results.length };
}

/** Runs a command of the built client, and returns its exit code. */
async function runClient(
  args: string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => unknown,
  stdin = '',
) {
  const child = spawn(process.execPath, [CLIENT, ...args], { env, signal });
  child.stdin.end(stdin);
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', onLine);
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

demo()
  .catch((error: unknown) => {
    process.exitCode = signal.aborted ? 130 : 1;
    if (!signal.aborted) process.stderr.write(`the demo failed: ${(error as Error).message}\n`);
  })
  .finally(async () => {
    for (let undo = cleanups.pop(); undo; undo = cleanups.pop()) await undo();
  });
