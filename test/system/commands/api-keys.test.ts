import type { Fault } from '../../../dev/atlas-emulator';
import { wrongClock } from '../../../dev/support/wrong-clock';
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

const own = setUp(() => startOwnOrganizations());
const withFastClock = setUp(() => startOwnOrganizations({ env: wrongClock(600_000) }));

const on = 'linkTokens' as const;
const LOST = { on, status: 503, afterCreating: true };
const UNANSWERED = { on, status: 503 };

/** Two keys that are not of link-tokens, and come first in each list. */
const OTHERS = [
  { id: '64f1c0de0123456789abcdef', publicKey: 'billings', desc: 'of the billing job' },
  { id: '64f1c0de0123456789abcdee', publicKey: 'unnamedk', desc: '' },
];

/** Lists the keys of an organization as the Atlas CLI does. */
function listKeys({ atlas }: Pick<OwnOrganizations, 'atlas'>, { orgId }: PrepareRequest) {
  const keys = atlas.createdTokens().filter((token) => token.orgId === orgId);
  const roles = [{ orgId, roleName: 'ORG_OWNER' }];
  const results = [...OTHERS, ...keys.map(({ apiKey }) => ({ ...apiKey, roles }))];
  return { links: [], results, totalCount: results.length };
}

/** When `api-keys` runs: a key made an hour ago may be an orphan. */
const LATER_MS = 2 * 3_600_000;

/** Runs `api-keys` later, with the keys of an organization on its standard input. */
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
  const { now } = Date;
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + LATER_MS);
  const exit = await startCommand([...args, ...options], devServerEnv(address), stdin).exited;
  clock.mockRestore();
  expect(exit).toMatchObject({ code: 0, stderr: '' });
  return exit;
}

interface Found {
  keyId?: string;
  publicKey?: string;
  madeAt?: string;
  state?: string;
  token?: { deliveryId: string; createdAt: string } | null;
  attempts?: object[];
}

/** Returns what `--json` says of the keys of link-tokens, and of all. */
async function find(of: OwnOrganizations, request: PrepareRequest, ...options: string[]) {
  const keys = objectsIn(await run(of, request, '--json', ...options)) as Found[];
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
    const { deliveryId, publicApiKey } = receipt ?? {};
    const token = { state: 'delivered', deliveryId, sink: 'files' };
    const { orgId } = request;
    expect(keys).toMatchObject([{ orgId, publicKey: publicApiKey, state: 'delivered', token }]);
    expect(total).toEqual({
      orgId,
      namespace: 'default',
      keys: 3,
      ofLinkTokens: 1,
      withoutKey: [],
    });
    const { stdout } = await run(own(), request);
    expect(stdout).toBe(
      `organization ${orgId}, runs of namespace default: 3 keys, 1 of link-tokens\n` +
        `${keys[0]?.keyId}  ${publicApiKey}  ${keys[0]?.madeAt}` +
        `  delivered: token ${deliveryId} of ${keys[0]?.token?.createdAt}, in sink files\n` +
        'delivered: revoke its token once all migrations with it are over\n',
    );
  });

  it('of an attempt whose response was lost, though a token followed at once', async () => {
    const { request, receipt } = await startToEnd(own(), LOST, UNANSWERED, LOST);
    const { keys, states } = await find(own(), request);
    expect(states).toEqual(['orphan', 'orphan', 'delivered']);
    const reason = expect.stringContaining('503');
    const attempts = [{ reason }, { reason }, { reason }];
    expect(keys.slice(0, 2)).toMatchObject([
      { token: null, attempts },
      { token: null, attempts },
    ]);
    expect(keys[2]?.token).toMatchObject({ deliveryId: receipt?.deliveryId });
    expect((await run(own(), request)).stdout).toMatch(
      /Z {2}orphan: near an attempt, \S+ to \S+ \(.*503.*\) and 2 more\n/,
    );
  });

  it('of a token that is undelivered, then abandoned', async () => {
    const { request, handle } = await own().start(own().newRequest({ sink: 'rejects' }));
    await untilStep(handle, 'undelivered');
    await untilListed(`WorkflowId = '${handle.workflowId}'`, 1);
    expect((await find(own(), request)).states).toEqual(['open']);
    expect((await run(own(), request)).stdout).toContain(
      `live-migration-prep watch ${request.orgId}`,
    );

    await end(handle, 'terminate');
    await untilListed(`WorkflowId = '${handle.workflowId}' AND CloseTime IS NOT NULL`, 1);
    expect((await find(own(), request)).states).toEqual(['abandoned']);
    expect((await run(own(), request)).stdout).toMatch(
      / {2}abandoned: token .*, look in sink rejects\n/,
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
    expect((await find(own(), request)).keys).toMatchObject([
      { state: 'unknown', token: null, attempts: [{ endedAt: null }] },
    ]);
    expect((await run(own(), request)).stdout).toMatch(
      /Z {2}unknown: a request is in progress, near an attempt, since \S+ \(the run creates a token\)\n/,
    );
    expect(await pendingActivity(handle)).toMatchObject({ type: 'createLinkToken' });
    await end(handle, 'terminate');
    await untilListed(`WorkflowId = '${handle.workflowId}' AND CloseTime IS NOT NULL`, 1);
    const reason = 'the run was terminated meanwhile';
    expect((await find(own(), request)).keys).toMatchObject([
      { state: 'orphan', attempts: [{ reason }] },
    ]);
  });

  it('of no token whose form is not known, and names the token', async () => {
    const body = { linkToken: 'an opaque token' };
    const { request, receipt } = await startToEnd(own(), {
      on,
      status: 201,
      body,
      afterCreating: true,
    });
    expect(receipt?.publicApiKey).toBeNull();
    const { deliveryId } = receipt ?? {};
    const { states, total } = await find(own(), request);
    expect(states).toEqual(['unknown']);
    expect(total).toMatchObject({ withoutKey: [{ state: 'delivered', deliveryId }] });
    expect((await run(own(), request)).stdout).toContain(`: its key is not known\n`);
  });
});

it('api-keys finds the key of a token that was delivered on another task queue', async () => {
  const { request } = await startToEnd(own());
  const elsewhere = ['--task-queue', `nobody-${newOrgId()}`];
  expect((await find(own(), request, ...elsewhere)).states).toEqual(['delivered']);
});

it('api-keys finds the key of a token although the worker’s clock is ten minutes fast', async () => {
  const { request, receipt } = await startToEnd(withFastClock());
  expect(Date.parse(String(receipt?.createdAt))).toBeGreaterThan(Date.now() + 300_000);
  expect((await find(withFastClock(), request)).states).toEqual(['delivered']);
});
