import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { receiptSchema } from '../../../src/contract/schemas';
import type { BlockedSink } from '../../support/blocked-sink';
import { cleanUpLater } from '../../support/clean-up';
import {
  TO_BLOCKED,
  TO_FILES,
  createBlockedFixture,
  createCommandFixture,
  type BlockedFixture,
} from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { sharedTemporal } from '../../support/installation';
import { objectIn, run, startCommand } from '../../support/run-command';
import { serveRejectingGrpcProxy, serveTcpProxy } from '../../support/servers';

const on = 'linkTokens';

let fixture: BlockedFixture;
let blocked: BlockedSink;

beforeAll(async () => {
  fixture = await createBlockedFixture();
  ({ blocked } = fixture);
});

const posts = () => fixture.atlas.requestsOn('linkTokens').length;
const lastToken = () => fixture.atlas.createdTokens().at(-1);

describe('start', () => {
  it('starts nothing after it was interrupted while it connected', async () => {
    const { address, client } = await sharedTemporal();
    const proxy = await serveTcpProxy(Number(address.split(':')[1]));
    cleanUpLater(() => proxy.close());
    proxy.cut();
    const { workflowId, options } = fixture.newTarget();
    const command = startCommand(['start', ...options, ...TO_FILES], embeddedEnv(`127.0.0.1:${proxy.port}`));
    await eventually('a connection', () => proxy.open() > 0);
    command.interrupt();
    expect(await command.exited).toMatchObject({ code: 130 });
    proxy.restore();
    await eventually('no connection', () => proxy.open() === 0);
    await expect(client.workflow.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
  });

  it('says how to follow the run, and does not wait', async () => {
    const { workflowId, options } = fixture.newTarget();
    expect(await fixture.client('start', ...options, ...TO_FILES)).toEqual({
      code: 0,
      stdout: `started ${workflowId}\nfollow it: live-migration-prep watch ${options.join(' ')}\n`,
      stderr: '',
    });
    const { client } = await sharedTemporal();
    expect(await client.workflow.getHandle(workflowId).result()).toMatchObject({ sink: 'files' });
  });

  it('with --wait prints where the token is', async () => {
    const { workflowId, options } = fixture.newTarget();
    const { code, stdout, stderr } = await fixture.client('start', ...options, ...TO_FILES, '--wait');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const file = /token is in\s+file (\S+)/.exec(stdout)?.[1] ?? '';
    expect(path.dirname(file)).toBe(fixture.deployment.tokensFolder);
    expect(readFileSync(file, 'utf8')).toBe(lastToken()?.linkToken);
    expect(stdout).toContain(`started ${workflowId}\n`);
    expect(stdout).toMatch(/^(\S+Z) delivered\n {2}organization [^]*\n {2}delivered +\S+Z\n/m);
    expect(stdout).toMatch(/\n {2}unconfirmed\s+0 tokens\n/);
  });

  it('with --json prints the receipt last, wherever --json stands', async () => {
    const { workflowId, options } = fixture.newTarget();
    const audit = ['--requested-by', 'ana', '--change-reference', 'CHG-1'];
    const exit = await fixture.client('start', ...options, ...TO_FILES, ...audit, '--wait', '--json');
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    const { receipt, ...others } = objectIn(exit);
    const { client } = await sharedTemporal();
    const { runId } = await client.workflow.getHandle(workflowId).describe();
    expect(others).toEqual({ workflowId, runId, joined: false });
    expect(receiptSchema.parse(receipt)).toMatchObject({
      accessListIps: ['192.31.196.7'],
      requestedBy: 'ana',
      changeReference: 'CHG-1',
    });
  });

  it('sends an empty access list with --no-access-list', async () => {
    const options = [...fixture.newTarget().options, '--no-access-list', '--sink', 'files'];
    const exit = await fixture.client('--json', 'start', ...options, '--wait');
    expect(objectIn(exit).receipt.accessListIps).toEqual([]);
    expect(lastToken()?.accessListIps).toEqual([]);
  });

  it('sends a file without its comments, blank lines and Windows line ends', async () => {
    const file = path.join(fixture.deployment.folder, `addresses-${newOrgId()}`);
    writeFileSync(
      file,
      '# the source\r\n192.31.196.7 # first host\r\n\r\n  192.175.48.0/24\n2001:4:112::/48',
    );
    const options = [
      ...fixture.newTarget().options,
      '--ips-file',
      file,
      '--ip',
      '192.52.193.1',
      '--sink',
      'files',
    ];
    const exit = await fixture.client('--json', 'start', ...options, '--wait');
    const sent = ['192.52.193.1', '192.31.196.7', '192.175.48.0/24', '2001:4:112::/48'];
    expect(objectIn(exit).receipt.accessListIps).toEqual(sent);
    expect(lastToken()?.accessListIps).toEqual(sent);
  });
});

describe('start --wait of a run that fails', () => {
  it("exits with 1, and prints the failure's type, Atlas's reason and the unconfirmed tokens", async () => {
    fixture.atlas.faults([
      { on, status: 500 },
      { on, status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'Not from here.' },
    ]);
    const { code, stderr } = await fixture.client(
      'start',
      ...fixture.newTarget().options,
      ...TO_FILES,
      '--wait',
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /AtlasRequestRejected: Atlas returned 403 ORG_REQUIRES_ACCESS_LIST .*"Not from here\."/,
    );
    expect(stderr).toContain('\nAtlas may have created 1 token that the run never received');
  });

  it('prints with --json its type and details; after it, start creates a token', async () => {
    fixture.atlas.faults({ on, status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST' });
    const { workflowId, options } = fixture.newTarget();
    const start = ['--json', 'start', ...options, ...TO_FILES, '--wait'];
    const exit = await fixture.client(...start);
    expect(exit.code).toBe(1);
    expect(objectIn(exit)).toMatchObject({
      workflowId,
      type: 'AtlasRequestRejected',
      error: expect.stringContaining('Atlas returned 403'),
      details: { status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST', unconfirmedTokens: 0 },
    });
    expect(await fixture.client(...start)).toMatchObject({ code: 0 });
  });

  it('names the known sinks when its sink is unknown, and Atlas is not called', async () => {
    const posts = fixture.atlas.posts().length;
    const options = [...fixture.newTarget().options, '--ip', '192.31.196.7', '--sink', 'no\u001bwhere'];
    const { code, stderr } = await fixture.client('start', ...options, '--wait');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /InvalidRequest: .*is not a sink of this organization: write one of files, blocked/,
    );
    expect(stderr).not.toContain('\u001b');
    expect(fixture.atlas.posts()).toHaveLength(posts);
  });
});

describe('start --wait against a sink that rejects', () => {
  it('returns with 5, the reason and the command that helps, and the run goes on', async () => {
    blocked.block();
    const { workflowId, options } = fixture.newTarget();
    const start = ['start', ...options, ...TO_BLOCKED, '--wait'];
    const { code, stderr } = await fixture.client(...start);
    expect(code).toBe(5);
    expect(stderr).toMatch(/^live-migration-prep: SinkRejected: .*is not a directory/);
    expect(stderr).toContain('\nthe token is kept, encrypted, and the run goes on; next try at ');
    expect(stderr).toContain(
      `\nonce the cause is fixed: live-migration-prep redeliver ${options.join(' ')}   (--sink `,
    );
    expect(stderr).not.toContain('`');
    expect(await fixture.statusOf(workflowId)).toBe('RUNNING');

    const again = await fixture.client('--json', ...start);
    expect(again.code).toBe(5);
    expect(objectIn(again)).toMatchObject({ workflowId, type: 'SinkRejected' });
  });

  it('joins the open run of an equal request, without waiting; once repaired, redeliver delivers', async () => {
    blocked.block();
    const { options } = fixture.newTarget();
    const start = ['--json', 'start', ...options, ...TO_BLOCKED];
    expect(await fixture.client(...start, '--wait')).toMatchObject({ code: 5 });
    const posts = fixture.atlas.posts().length;
    expect(objectIn(await fixture.client(...start))).toMatchObject({
      joined: true,
      runId: expect.any(String),
    });
    blocked.repair();
    const redelivered = await fixture.client('--json', 'redeliver', ...options);
    expect(objectIn(redelivered).receipt.sink).toBe('blocked');
    expect(blocked.tokens()).toEqual([lastToken()?.linkToken]);
    expect(fixture.atlas.posts()).toHaveLength(posts);
  });

  it('refuses a different request, and a different one does not disturb the run', async () => {
    blocked.block();
    const { workflowId, options } = fixture.newTarget();
    const start = ['start', ...options];
    expect(await fixture.client(...start, ...TO_BLOCKED, '--wait')).toMatchObject({ code: 5 });
    const posts = fixture.atlas.posts().length;

    const different = [...start, '--ip', '192.31.196.8', '--sink', 'files', '--again'];
    const waiting = await fixture.client('--json', ...different, '--wait');
    expect(waiting.code).toBe(6);
    expect(objectIn(waiting)).toMatchObject({ type: 'DifferentRequest', fields: ['sink', 'accessListIps'] });

    const plain = await fixture.client(...different);
    expect(plain).toMatchObject({ code: 6, stdout: '' });
    expect(plain.stderr).toContain(
      [
        `DifferentRequest: ${workflowId} is open with a different request`,
        '  sink: open "blocked", yours "files"',
        '  accessListIps: open ["192.31.196.7"], yours ["192.31.196.8"]',
        'wait for it to end, or cancel it',
      ].join('\n'),
    );
    expect(fixture.atlas.posts()).toHaveLength(posts);
    expect(await fixture.statusOf(workflowId)).toBe('RUNNING');
  });
});

describe('start --dry-run', () => {
  let before: number;
  beforeAll(() => {
    before = posts();
  });

  it('prints what a run would do with a private address, and starts nothing', async () => {
    const { workflowId, options } = fixture.newTarget();
    const exit = await fixture.client('start', ...options, ...TO_FILES, '--ip', '10.0.0.1', '--dry-run');
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout.trim().split('\n')).toEqual([
      `nothing was started; start would start ${workflowId}`,
      '  credential      default',
      '  access list     192.31.196.7, 10.0.0.1',
      '  sink            files',
      expect.stringMatching(
        /^ {2}warning {9}accessListIps\[1\] "10\.0\.0\.1" is in a range \(private\) that Atlas sees only over/,
      ),
      'ok        list of runs: Temporal lists runs',
      expect.stringMatching(/^ok {8}sealing keys: /),
      'ok        credential default: accepted by Atlas',
      `ok        organization ${fixture.atlas.account.orgId}: visible to credential default`,
      expect.stringMatching(/^ok {8}sink files: /),
    ]);
    const { client } = await sharedTemporal();
    await expect(client.workflow.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
    expect(posts()).toBe(before);
  });

  it('names every problem of the request with --json, too', async () => {
    const [, , ...sourceOrg] = fixture.newTarget().options;
    const request = ['--org', newOrgId(), ...sourceOrg, '--ip', '192.31.196.7', '--sink', 'nowhere'];
    const exit = await fixture.client('start', ...request, '--dry-run', '--json');
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(
      /^live-migration-prep: nothing was started: the request has 2 problems\n {2}sink "nowhere" is not a sink of this organization: write one of files, blocked\n {2}orgId is not visible to credential default/,
    );
    expect(objectIn(exit)).toMatchObject({
      type: 'InvalidRequest',
      request: null,
      fields: [{ field: 'sink' }, { field: 'orgId' }],
    });
    expect(posts()).toBe(before);
  });

  it('says what start would refuse', async () => {
    const { options } = fixture.newTarget();
    await fixture.client('start', ...options, ...TO_FILES, '--wait');
    const sent = posts();
    const refused = await fixture.client('start', ...options, ...TO_FILES);
    const { code, stderr } = await fixture.client('start', ...options, ...TO_FILES, '--dry-run');
    expect({ code, stderr }).toEqual({ code: 6, stderr: refused.stderr });
    expect(posts()).toBe(sent);
  });
});

it('list, start --dry-run and doctor --remote need no permission to describe the namespace or a task queue', async () => {
  const { address } = await sharedTemporal();
  const PERMISSION_DENIED = 7;
  const denied = /\/Describe(Namespace|TaskQueue)$/;
  const proxy = await serveRejectingGrpcProxy(Number(address.split(':')[1]), denied, PERMISSION_DENIED);
  cleanUpLater(() => proxy.close());
  blocked.repair();
  const { taskQueue } = fixture.deployment;
  for (const command of [
    ['list'],
    ['start', ...fixture.newTarget().options, ...TO_FILES, '--dry-run'],
    ['doctor', '--remote'],
  ]) {
    const exit = await run(['--task-queue', taskQueue, ...command], embeddedEnv(`127.0.0.1:${proxy.port}`));
    expect({ ...exit, command }).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining('live-migration-prep:') as unknown,
    });
  }
});

it('a command that loses Temporal says what goes on', async () => {
  const { address } = await sharedTemporal();
  const UNAUTHENTICATED = 16;
  const proxy = await serveRejectingGrpcProxy(
    Number(address.split(':')[1]),
    /\/(StartWorkflowExecution|UpdateWorkflowExecution)$/,
    UNAUTHENTICATED,
  );
  cleanUpLater(() => proxy.close());
  blocked.block();
  const { options } = fixture.newTarget();
  await fixture.client('start', ...options, ...TO_BLOCKED, '--wait');
  const cases = [
    [['start', ...fixture.newTarget().options, ...TO_FILES], 'a run may have been started; follow it: '],
    [['redeliver', ...options], 'the run goes on; follow it: '],
  ] as const;
  for (const [command, followUp] of cases) {
    const exit = await run(command, embeddedEnv(`127.0.0.1:${proxy.port}`));
    expect(exit.code).toBe(3);
    expect(exit.stderr).toContain(
      `\n${followUp}live-migration-prep watch ${command.slice(1, 5).join(' ')}\n`,
    );
  }
});

describe('before a worker is there,', () => {
  it('start joins the run of an equal request, says as watch does that no worker polls, and the run goes on when one starts', async () => {
    const { atlas, deployment, client, ...others } = await createCommandFixture();
    const { workflowId, options } = others.newTarget();
    const noWorker = `no worker polls task queue ${deployment.taskQueue}: start one, or correct the name; a run stays on the task queue on which it was started`;
    const start = ['start', ...options, '--sink', 'files'];
    const started = await client(...start, '--ip', '192.31.196.7', '--ip', '2001:4:112::1');
    expect(started).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`\n${noWorker}\n`),
    });

    const reordered = ['--ip', '2001:4:112::1', '--ip', '192.31.196.7', '--ip', '192.31.196.7'];
    const joined = await client(...start, ...reordered, '--requested-by', 'ana');
    expect(joined).toMatchObject({ code: 0, stderr: '' });
    expect(joined.stdout).toContain(`joined the open run ${workflowId}\n`);

    const elsewhere = await client(...start, ...reordered, '--task-queue', 'another');
    expect(elsewhere.stdout).toContain(`joined the open run ${workflowId}\n${noWorker}\n`);

    const watching = client('--timeout', '50s', 'watch', ...options);
    await deployment.startWorker();
    const { code, stdout } = await watching;
    expect(stdout).toContain(noWorker);
    expect(code).toBe(0);
    expect(atlas.posts()).toHaveLength(1);
  });
});
