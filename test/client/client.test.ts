import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../dev/embedded-env';
import { freePort } from '../../dev/free-port';
import { workflowIdFor, type Receipt } from '../../src/contract/names';
import type { TestAtlas } from '../support/atlas';
import { cleanUpLater } from '../support/clean-up';
import { runProgram, type ClientExit, type Deployment } from '../support/deployment';
import { endingOf, pendingActivity } from '../support/ending';
import { eventually } from '../support/eventually';
import { newOrgId } from '../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../support/setting';

jest.setTimeout(60_000);

const on = 'linkTokens';
const CLIENT = path.join(__dirname, '../../dist/client.js');

let atlas: TestAtlas;
let deployment: Deployment;

beforeAll(async () => {
  atlas = await startAtlas();
  deployment = await deploy({
    atlas,
    config: {
      sinks: {
        files: { type: 'file', directory: 'tokens' },
        others: { type: 'file', directory: 'other-tokens' },
      },
    },
  });
  mkdirSync(path.join(deployment.folder, 'other-tokens'));
  await deployment.startWorker();
}, 60_000);
beforeEach(() => atlas.clearFaults());

/** Options that name one pair of organizations, which no other test has. */
function newPair() {
  const sourceOrgId = newOrgId();
  const { orgId } = atlas.account;
  const target = ['--org', orgId, '--source-org', sourceOrgId];
  return {
    target,
    request: [...target, '--sink', 'files', '--ip', '203.0.113.7'],
    workflowId: workflowIdFor(orgId, sourceOrgId),
  };
}

const run = (...args: string[]) => deployment.runClient(...args);

function jsonOf({ stdout }: ClientExit): { receipt: Receipt } & Record<string, unknown> {
  return JSON.parse(stdout) as { receipt: Receipt } & Record<string, unknown>;
}

async function handleOf(workflowId: string) {
  const { client } = await sharedTemporal();
  return client.workflow.getHandle(workflowId);
}

async function untilFailing(workflowId: string): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually('a failed attempt', async () => {
    return (await pendingActivity(client, workflowId))?.lastFailure;
  });
}

async function isKnown(workflowId: string): Promise<boolean> {
  const handle = await handleOf(workflowId);
  return handle.describe().then(
    () => true,
    () => false,
  );
}

describe('start', () => {
  it('starts a run and says how to follow it', async () => {
    const { request, workflowId } = newPair();
    const { code, stdout } = await run('start', ...request);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `started: ${workflowId}\nfollow it: live-migration-prep watch --workflow-id ${workflowId}\n`,
    });
    expect(await endingOf(await handleOf(workflowId))).toMatchObject({ type: 'delivered' });
  });

  it('--wait prints the receipt in lines', async () => {
    const { request } = newPair();
    const { code, stdout } = await run('start', ...request, '--wait');
    expect(code).toBe(0);
    expect(stdout).toMatch(/token is in +file .*tokens\/.*link-token on the worker's host/);
    expect(stdout).toMatch(/unconfirmed +0 token\(s\)/);
  });

  it('--wait --json prints one JSON object with the receipt', async () => {
    const { request, workflowId } = newPair();
    const exit = await run(
      '--json',
      'start',
      ...request,
      '--wait',
      '--requested-by',
      'Ada',
      '--change-reference',
      'C-1',
    );
    expect(jsonOf(exit)).toMatchObject({
      workflowId,
      joined: false,
      receipt: { sink: 'files', unconfirmedTokens: 0, requestedBy: 'Ada', changeReference: 'C-1' },
    });
  });

  it('--wait ends with 1 and the type of the failure', async () => {
    atlas.faults({ on, status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'No.' });
    const { request } = newPair();
    const exit = await run('--json', 'start', ...request, '--wait');
    expect(exit.code).toBe(1);
    expect(jsonOf(exit)).toMatchObject({
      type: 'AtlasRequestRejected',
      details: { status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'No.', unconfirmedTokens: 0 },
    });
    expect(exit.stderr).toMatch(/AtlasRequestRejected: Atlas answered 403 ORG_REQUIRES_ACCESS_LIST .*"No\."/);
  });

  it('joins a run that was asked for the same, and refuses one that was asked for something else', async () => {
    atlas.faults({ on, status: 500, times: 1000 });
    const { target, request, workflowId } = newPair();
    expect(await run('start', ...request)).toMatchObject({ code: 0 });

    // Written otherwise, and the same list of addresses.
    const same = await run('--json', 'start', ...target, '--sink', 'files', '--ip', '203.0.113.7/32');
    expect(jsonOf(same)).toEqual({ workflowId, joined: true });

    const different = await run('start', ...target, '--sink', 'others', '--ip', '203.0.113.8');
    expect(different.code).toBe(1);
    expect(different.stderr).toContain('sink: running "files", asked "others"');
    expect(different.stderr).toContain('accessListIps: running ["203.0.113.7"], asked ["203.0.113.8"]');

    atlas.clearFaults();
    expect(await endingOf(await handleOf(workflowId))).toMatchObject({ type: 'delivered' });
  });

  it('after a delivered token prints its receipt and refuses; --again creates another', async () => {
    const { request } = newPair();
    const first = jsonOf(await run('--json', 'start', ...request, '--wait')).receipt;

    const refused = await run('--json', 'start', ...request, '--wait');
    expect(refused.code).toBe(1);
    const [told = ''] = refused.stdout.split('\n');
    expect(JSON.parse(told)).toMatchObject({ refused: 'already delivered', receipt: first });
    expect(refused.stderr).toContain('--again');

    const again = await run('--json', 'start', ...request, '--wait', '--again');
    expect(again.code).toBe(0);
    expect(jsonOf(again).receipt.deliveryId).not.toBe(first.deliveryId);
  });

  it('after a failure without a token starts anew', async () => {
    atlas.faults({ on, status: 403 });
    const { request } = newPair();
    expect(await run('start', ...request, '--wait')).toMatchObject({ code: 1 });
    expect(await run('start', ...request, '--wait')).toMatchObject({ code: 0 });
  });

  it('after an undelivered token refuses and names redeliver; redeliver --sink hands it to another sink', async () => {
    const elsewhere = `${deployment.tokensFolder}-elsewhere`;
    renameSync(deployment.tokensFolder, elsewhere);
    const { target, request, workflowId } = newPair();
    await run('start', ...request);
    await untilFailing(workflowId);
    expect(await run('cancel', ...target)).toMatchObject({ code: 0 });
    await (await handleOf(workflowId)).result().catch(() => undefined);
    renameSync(elsewhere, deployment.tokensFolder);

    const before = atlas.createdTokens().length;
    const refused = await run('start', ...request);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`live-migration-prep redeliver --workflow-id ${workflowId}`);

    const redelivered = await run('--json', 'redeliver', ...target, '--sink', 'others');
    expect(redelivered.code).toBe(0);
    expect(jsonOf(redelivered).receipt).toMatchObject({ sink: 'others', unconfirmedTokens: 0 });
    expect(atlas.createdTokens()).toHaveLength(before);

    const twice = await run('redeliver', ...target);
    expect(twice.code).toBe(1);
    expect(twice.stderr).toContain('holds no token that waits for delivery');
    const finished = await run('start', ...request);
    expect(finished.stderr).toContain('created and delivered before');
  });
});

describe('watch', () => {
  it('tells step, attempt and last failure, and ends with the receipt', async () => {
    atlas.faults({ on, status: 503, headers: { 'Retry-After': '3' } });
    const { target, request, workflowId } = newPair();
    await run('start', ...request);
    await untilFailing(workflowId);
    const { code, stdout } = await run('watch', ...target);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\S+Z creating, attempt 2; last failure: Atlas answered 503/m);
    expect(stdout).toMatch(/^\S+Z delivered\n {2}organization +/m);
  });

  it('ends with 1 when the run is cancelled', async () => {
    atlas.faults({ on, status: 500, times: 1000 });
    const { target, request } = newPair();
    await run('start', ...request);
    const watching = run('watch', ...target);
    await run('cancel', ...target);
    const { code, stderr } = await watching;
    expect(code).toBe(1);
    expect(stderr).toContain('the run was cancelled');
  });

  it.each(['watch', 'cancel', 'redeliver'])('%s says that there is no such run', async (command) => {
    const { code, stderr } = await run(command, ...newPair().target);
    expect(code).toBe(1);
    expect(stderr).toContain('Temporal knows no run');
  });
});

describe('schedule create', () => {
  it('creates a schedule whose run ends with a receipt', async () => {
    const { request, workflowId } = newPair();
    const created = await run('schedule', 'create', ...request, '--cron', '0 6 * * 1');
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const { client } = await sharedTemporal();
    const schedule = client.schedule.getHandle(workflowId);
    cleanUpLater(() => schedule.delete());
    await schedule.trigger();
    const action = await eventually('a run of the schedule', async () => {
      const { info } = await schedule.describe();
      return info.recentActions[0]?.action;
    });
    expect(action.workflow.workflowId).toContain(`${workflowId}-`);
    const ending = await endingOf(await handleOf(action.workflow.workflowId));
    expect(ending).toMatchObject({ type: 'delivered', receipt: { sink: 'files' } });

    const second = await run('schedule', 'create', ...request, '--cron', '0 6 * * 1');
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`there is a schedule ${workflowId}`);
  });
});

describe('keys', () => {
  it('writes a key set with mode 0600, and --rotate puts a new key before the others', async () => {
    const file = path.join(deployment.folder, 'made-keys.json');
    const keyIds = () =>
      (JSON.parse(readFileSync(file, 'utf8')) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
    expect(await run('keys', '--file', file)).toMatchObject({ code: 0, stderr: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const before = keyIds();

    expect(await run('keys', '--file', file)).toMatchObject({ code: 2 });
    expect(keyIds()).toEqual(before);

    expect(await run('keys', '--file', file, '--rotate')).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(keyIds()).toEqual([expect.any(String), ...before]);
  });
});

describe('nothing is started', () => {
  const files: Record<string, string> = {
    empty: '',
    comments: '# nothing here\n\n   # nor here\n',
    huge: '203.0.113.7\n'.repeat(100_000),
    tenThousand: Array.from({ length: 10_000 }, (_, i) => `198.51.${i >> 8}.${i & 255}`).join('\n'),
  };
  const valid = ['--ip', '203.0.113.7'];

  it.each([
    [
      'an organization id that is none',
      ['--org', 'ABC', ...valid],
      '--sink',
      'orgId is not 24 lower-case hexadecimal',
    ],
    [
      'an address that is none',
      ['--ip', '10.1.2.3/24'],
      '--sink',
      'accessListIps[0] "10.1.2.3/24" has bits set',
    ],
    ['no sink', valid, '--no-sink', "required option '--sink <name>' not specified"],
    ['an unknown option', [...valid, '--nonsense'], '--sink', "unknown option '--nonsense'"],
    ['a file that is missing', ['--ips-file', 'missing'], '--sink', 'cannot be read (ENOENT)'],
    ['an empty file', ['--ips-file', 'empty'], '--sink', 'holds no address'],
    ['a file of comments', ['--ips-file', 'comments'], '--sink', 'holds no address'],
    ['a huge file', ['--ips-file', 'huge'], '--sink', 'is larger than 1 MiB'],
    ['a list of 10,000', ['--ips-file', 'tenThousand'], '--sink', 'has more than 1000 entries'],
  ])('%s: exit code 2, and the mend', async (_what, options, sink, message) => {
    const { target, workflowId } = newPair();
    const args = options.map((option) => {
      const content = files[option];
      if (content === undefined) return option === 'missing' ? path.join(deployment.folder, option) : option;
      const file = path.join(deployment.folder, option);
      writeFileSync(file, content);
      return file;
    });
    const { code, stderr } = await run(
      'start',
      ...target,
      ...args,
      ...(sink === '--sink' ? [sink, 'files'] : []),
    );
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(await isKnown(workflowId)).toBe(false);
  });

  it('an unknown sink: the run says so, and Atlas is not asked', async () => {
    const before = atlas.requests().length;
    const { target } = newPair();
    const { code, stderr } = await run('start', ...target, '--sink', 'nowhere', '--wait', ...valid);
    expect(code).toBe(1);
    expect(stderr).toContain('InvalidRequest');
    expect(stderr).toContain('"nowhere" is not a sink of this organization: write one of files, others');
    expect(atlas.requests()).toHaveLength(before);
  });

  it('a file with comments and blank lines is read without them', async () => {
    const file = path.join(deployment.folder, 'addresses');
    writeFileSync(file, '# of the source\n203.0.113.7 # first host\r\n\n  198.51.100.0/24\n');
    const { target } = newPair();
    const exit = await run('--json', 'start', ...target, '--sink', 'files', '--ips-file', file, '--wait');
    expect(jsonOf(exit).receipt.accessListIps).toEqual(['203.0.113.7', '198.51.100.0/24']);
  });
});

describe('Temporal cannot be reached', () => {
  it('is told within 5 s, exit code 3', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const startedAt = Date.now();
    const { code, stderr } = await runProgram(CLIENT, ['start', ...newPair().request], embeddedEnv(address));
    expect(Date.now() - startedAt).toBeLessThan(5000);
    expect(code).toBe(3);
    expect(stderr).toContain(`cannot reach Temporal at ${address}`);
  });

  it('an unknown namespace is exit code 3 too', async () => {
    const { address } = await sharedTemporal();
    const env = { ...embeddedEnv(address), TEMPORAL_NAMESPACE: 'nowhere' };
    const { code, stderr } = await runProgram(CLIENT, ['watch', ...newPair().target], env);
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: expect.stringContaining('namespace nowhere') as string,
    });
  });

  it('--help is exit code 0', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stderr: '' });
  });
});
