import type { Fault } from '../../../dev/atlas-emulator';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import type { Handle } from '../../support/installation';
import { startOwnOrganizations, type OwnOrganizations } from '../../support/organizations';
import { objectsIn, startCommand } from '../../support/run-command';
import { end, endingOf, pendingActivity, untilStep } from '../../support/runs';
import { setUp } from '../../support/set-up';
import { sharedTemporal, untilListed } from '../../support/temporal';
import { wrongClock } from '../../support/worker-process';

const own = setUp(() => startOwnOrganizations());
const withFastClock = setUp(() => startOwnOrganizations({ env: wrongClock(600_000) }));

const on = 'linkTokens' as const;
const LOST = { on, status: 503, afterCreating: true };
const UNANSWERED = { on, status: 503 };
const REJECTED = { on, status: 403 };

/**
 * Lists the keys of an organization as the Atlas CLI does: one of its own, and those of its tokens.
 */
function listKeys({ atlas }: Pick<OwnOrganizations, 'atlas'>, { orgId }: PrepareRequest) {
  const keys = atlas.createdTokens().filter((token) => token.orgId === orgId);
  const results = [
    { id: '64f1c0de0123456789abcdef', desc: 'of the billing job' },
    ...keys.map(({ apiKey }) => ({ id: apiKey.id, desc: 'Live Migration link-token' })),
  ];
  return { links: [], results, totalCount: results.length };
}

/** Runs `api-keys` with the keys of an organization on its standard input. */
async function run(of: OwnOrganizations, request: PrepareRequest, ...options: string[]) {
  const { address } = await sharedTemporal();
  const args = [
    '--task-queue',
    of.installation.taskQueue,
    'api-keys',
    '--org',
    request.orgId,
    '--keys',
    '-',
  ];
  const stdin = JSON.stringify(listKeys(of, request));
  const exit = await startCommand([...args, ...options], devServerEnv(address), stdin).exited;
  expect(exit).toMatchObject({ code: 0, stderr: '' });
  return exit;
}

interface Found {
  keyId?: string;
  state?: string;
  origins?: object[];
  withoutKey?: object[];
}

/** Returns what `--json` says of the keys of tokens, and of all. */
async function find(of: OwnOrganizations, request: PrepareRequest, ...options: string[]) {
  const [other, ...keys] = objectsIn(await run(of, request, '--json', ...options)) as Found[];
  expect(other).toMatchObject({ keyId: '64f1c0de0123456789abcdef', state: 'other', origins: [] });
  const total = keys.pop();
  return { keys, states: keys.map(({ state }) => state), total };
}

async function untilEnded(request: PrepareRequest, handle: Handle) {
  const ending = await endingOf(handle);
  await untilListed(`WorkflowId = '${handle.workflowId}' AND CloseTime IS NOT NULL`, 1);
  return { request, handle, ...ending };
}

async function startToEnd(of: OwnOrganizations, ...faults: Fault[]) {
  const { request, handle } = await of.start(of.newRequest(), ...faults);
  return untilEnded(request, handle);
}

describe('api-keys finds the key', () => {
  it('of a delivered token, with its sink', async () => {
    const { request, receipt } = await startToEnd(own());
    const { keys, total } = await find(own(), request);
    const { deliveryId, createdAt } = receipt ?? {};
    const origin = { type: 'token', state: 'delivered', deliveryId, createdAt, sink: 'files' };
    expect(keys).toMatchObject([{ orgId: request.orgId, state: 'delivered', origins: [origin] }]);
    expect(total).toEqual({ orgId: request.orgId, keys: 2, ofThisJob: 1, withoutKey: [] });
    const { stdout } = await run(own(), request);
    // Around midnight the time of the token has a date of its own.
    expect(stdout.replace(/(?<= of )\S+(?=, delivered)/, 'TIME')).toBe(
      `organization ${request.orgId}: 2 keys, 1 from this job\n` +
        `${keys[0]?.keyId}  ${String((keys[0] as { madeAt?: string }).madeAt)}` +
        `  "Live Migration link-token"  token ${deliveryId} of TIME, delivered to files\n1 other key\n`,
    );
  });

  it('of an attempt whose response was lost, which no token uses', async () => {
    const { request } = await startToEnd(own(), LOST, REJECTED);
    const { keys } = await find(own(), request);
    const reason = expect.stringContaining('503');
    expect(keys).toMatchObject([{ state: 'unconfirmed', origins: [{ type: 'attempt', reason }] }]);
    expect((await run(own(), request)).stdout).toMatch(
      /" {2}unconfirmed, \S+ to \S+ \(.*503.*\): no known token uses it\n/,
    );
  });

  it('of a token that followed an attempt that created none', async () => {
    const { request, receipt } = await startToEnd(own(), UNANSWERED);
    const { keys, total } = await find(own(), request);
    const { deliveryId } = receipt ?? {};
    expect(keys).toMatchObject([{ state: 'delivered', origins: [{ deliveryId }] }]);
    expect(total).toMatchObject({ ofThisJob: 1, withoutKey: [{ state: 'unconfirmed' }] });
    // What only the matching needs is not printed.
    for (const origin of [...(keys[0]?.origins ?? []), ...(total?.withoutKey ?? [])]) {
      expect(origin).not.toHaveProperty('span');
    }
  });

  it('of an attempt and of the token that soon followed, as one of two', async () => {
    const { request, receipt } = await startToEnd(own(), LOST);
    const { keys, states } = await find(own(), request);
    expect(states).toEqual(['mixed', 'mixed']);
    for (const { origins } of keys) {
      expect(origins).toMatchObject([
        { state: 'unconfirmed' },
        { deliveryId: receipt?.deliveryId },
      ]);
    }
    const { stdout } = await run(own(), request);
    expect(stdout).toMatch(
      /" {2}1 of 2: unconfirmed, .*; token .*, delivered to files\n.*" {2}1 of 2: the same as above\n/,
    );
  });

  it('of a token that is undelivered, then abandoned', async () => {
    const { request, handle } = await own().start(own().newRequest({ sink: 'rejects' }));
    await untilStep(handle, 'undelivered');
    await untilListed(`WorkflowId = '${handle.workflowId}'`, 1);
    expect((await find(own(), request)).states).toEqual(['open']);
    expect((await run(own(), request)).stdout).toContain(
      `live-migration-prep watch --org ${request.orgId} `,
    );

    await end(handle, 'cancel');
    await untilListed(`WorkflowId = '${handle.workflowId}' AND CloseTime IS NOT NULL`, 1);
    expect((await find(own(), request)).states).toEqual(['abandoned']);
    expect((await run(own(), request)).stdout).toContain(
      ', abandoned: its run ended without a delivery\n',
    );
  });

  it('of a run that was terminated while it created a token', async () => {
    const { atlas, installation } = own();
    const request = own().newRequest();
    own().setFaults(request, { ...LOST, delayMs: 600_000 });
    const handle = await installation.start(request);
    await eventually('a token', () =>
      atlas.createdTokens().some(({ orgId }) => orgId === request.orgId),
    );
    await untilListed(`WorkflowId = '${handle.workflowId}'`, 1);
    expect((await find(own(), request)).states).toEqual(['inProgress']);
    expect(await pendingActivity(handle)).toMatchObject({ type: 'createLinkToken' });
    await end(handle, 'terminate');
    await untilListed(`WorkflowId = '${handle.workflowId}' AND CloseTime IS NOT NULL`, 1);
    const reason = 'the run was terminated meanwhile';
    expect((await find(own(), request)).keys).toMatchObject([
      { state: 'unconfirmed', origins: [{ reason }] },
    ]);
  });
});

it('api-keys names the tokens that have no key in the list', async () => {
  const { request, receipt } = await startToEnd(own());
  const { orgId } = request;
  const { deliveryId, createdAt } = receipt ?? {};
  const withoutKeys = JSON.stringify({ results: [], totalCount: 0 });
  const { address } = await sharedTemporal();
  const args = [
    '--task-queue',
    own().installation.taskQueue,
    'api-keys',
    '--org',
    orgId,
    '--keys',
    '-',
  ];
  const { stdout } = await startCommand(args, devServerEnv(address), withoutKeys).exited;
  expect(stdout).toBe(
    `organization ${orgId}: 0 keys, 0 from this job\n0 other keys\n` +
      'without a key (deleted, or a clock was wrong):' +
      ` token ${deliveryId} of ${createdAt}, delivered to files\n`,
  );
});

/** Deletes a closed run, as Temporal does after the retention period. */
async function deleteRun(handle: Handle): Promise<void> {
  const { client } = await sharedTemporal();
  const { namespace } = client.options;
  const { workflowId, runId } = await handle.describe();
  const workflowExecution = { workflowId, runId };
  await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution });
  await untilListed(`WorkflowId = '${workflowId}'`, 0);
}

it('api-keys finds the key of a token that was delivered on another task queue', async () => {
  const { request } = await startToEnd(own());
  const elsewhere = ['--task-queue', `nobody-${newOrgId()}`];
  expect((await find(own(), request, ...elsewhere)).states).toEqual(['delivered']);
});

/** Terminates a run before its token arrives. */
async function terminateBeforeArrival() {
  const { atlas, installation } = own();
  const request = own().newRequest();
  const { orgId } = request;
  own().setFaults(request, { on, delayMs: 600_000, afterCreating: true });
  const handle = await installation.start(request);
  await eventually('a token', () => atlas.createdTokens().some((token) => token.orgId === orgId));
  await end(handle, 'terminate');
  atlas.clearFaults();
  const received = await eventually('the response', () =>
    installation.workers
      .flatMap((worker) => worker.logged('link-token received'))
      .find((line) => line['orgId'] === orgId),
  );
  await untilListed(`WorkflowId = '${handle.workflowId}' AND CloseTime IS NOT NULL`, 1);
  return { request, handle, received };
}

it('api-keys finds keys in the record where Temporal has no run', async () => {
  const { installation } = own();
  const delivered = await startToEnd(own());
  const lostRun = await startToEnd(own(), LOST, REJECTED);
  const terminated = await terminateBeforeArrival();
  const logs = installation.workers.map(
    (_, index) => `${installation.folder}/worker-${index + 1}.log`,
  );
  const runs = [delivered, lostRun, terminated];
  await Promise.all(runs.map(({ handle }) => deleteRun(handle)));
  for (const { request } of runs) {
    expect((await find(own(), request)).states).toEqual(['other']);
  }
  const record = ['--record', ...logs];
  const { keys } = await find(own(), delivered.request, ...record);
  const { deliveryId } = delivered.receipt ?? {};
  expect(keys).toMatchObject([{ state: 'delivered', origins: [{ deliveryId, sink: 'files' }] }]);
  expect((await find(own(), lostRun.request, ...record)).states).toEqual(['unconfirmed']);
  const { deliveryId: arrivedId, runId } = terminated.received;
  expect((await find(own(), terminated.request, ...record)).keys).toMatchObject([
    { state: 'unknown', origins: [{ type: 'received', deliveryId: arrivedId, runId }] },
  ]);
});

it('api-keys finds the key of a token although the worker’s clock is ten minutes fast', async () => {
  const { request, receipt } = await startToEnd(withFastClock());
  expect(Date.parse(String(receipt?.createdAt))).toBeGreaterThan(Date.now() + 300_000);
  expect((await find(withFastClock(), request)).states).toEqual(['delivered']);
});
