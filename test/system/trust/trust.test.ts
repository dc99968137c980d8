import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest, Receipt, SealedToken } from '../../../src/contract/schemas';
import { newAccount, seedOf, startAtlas, type TestAtlas } from '../../support/atlas';
import { newOrgId } from '../../support/ids';
import { FILE_SINKS, deploy, type Deployment, type Handle } from '../../support/installation';
import { createdToken, endingOf, redeliver, untilStep } from '../../support/runs';
import { sharedTemporal, temporalCli } from '../../support/temporal';
import { startForeignWorker, type ForeignWorker } from './foreign-worker';
import type { Call, CallOutcome } from './foreign-workflows';

let atlas: TestAtlas;
let deployment: Deployment;
let foreigner: ForeignWorker;
/** The worker has a credential for this organization, and its map leaves it out. */
const payments = newAccount();

/** A run that was cancelled while its token waited for its sink, so that history holds a genuine sealed token. */
let cancelled: Handle;
let sealed: SealedToken;

beforeAll(async () => {
  atlas = await startAtlas();
  const { account } = atlas;
  atlas.seed(seedOf([account, payments]));
  const env = {
    PAYMENTS_ID: payments.clientId,
    PAYMENTS_SECRET: payments.clientSecret,
  };
  const sinks = {
    ...FILE_SINKS,
    forbidden: { type: 'file', directory: 'forbidden' },
  };
  const credentials = {
    payments: {
      type: 'serviceAccount',
      clientId: { env: 'PAYMENTS_ID' },
      clientSecret: { env: 'PAYMENTS_SECRET' },
    },
  };
  const permitted = Object.keys(sinks).filter((name) => name !== 'forbidden');
  const organizations = { [account.orgId]: { credential: 'default', sinks: permitted } };
  deployment = await deploy({ atlas, env, config: { sinks, atlas: { credentials, organizations } } });
  mkdirSync(path.join(deployment.folder, 'forbidden'));
  await deployment.startWorker();
  [foreigner, cancelled] = await Promise.all([
    startForeignWorker(deployment),
    deployment.start(deployment.newRequest({ sink: 'rejects' })),
  ]);
  await untilStep(cancelled, 'undelivered');
  await cancelled.cancel();
  expect(await endingOf(cancelled)).toMatchObject({ type: 'Cancelled' });
  sealed = (await createdToken(cancelled)) as SealedToken;
});

/** Changes of a valid request with which the activity is called. */
const CREATIONS: [what: string, change: () => object][] = [
  ['an organization id that is a path', () => ({ orgId: 'ffffffffffffffffffffffff/apiKeys?x=' })],
  ['the whole Internet on the access list', () => ({ accessListIps: ['0.0.0.0/0'] })],
  ['an organization outside the map', () => ({ orgId: payments.orgId, credential: 'payments' })],
];

function create(change: object = {}): Call {
  const request = {
    orgId: atlas.account.orgId,
    sourceOrgId: sealed.sourceOrgId,
    accessListIps: ['192.31.196.7'],
    sink: 'files',
    credential: 'default',
    warnings: [],
    requestedBy: null,
    changeReference: null,
    ...change,
  };
  const deadlineAtMs = Date.now() + 3_600_000;
  return {
    activity: 'createLinkToken',
    args: [{ request, unconfirmedTokens: 0, activityNumber: 1, deadlineAtMs }],
  };
}

function deliver(sink: string, change: object = {}): Call {
  return { activity: 'deliverLinkToken', args: [{ ...sealed, ...change }, sink] };
}

/** Harmful calls, and those that are refused only because of who makes them. */
function allCalls(): Call[] {
  return [
    ...CREATIONS.map(([, change]) => create(change())),
    deliver('forbidden'),
    create({ sourceOrgId: newOrgId() }),
    deliver('files'),
  ];
}

/** No token but the first was created, no other path of Atlas was called, and no sink was sent anything. */
function expectNothingHappened(): void {
  const linkTokens = `/api/atlas/v2/orgs/${atlas.account.orgId}/liveMigrations/linkTokens`;
  const others = atlas.requests().filter((request) => request.on !== 'oauth' && request.path !== linkTokens);
  expect(others).toEqual([]);
  expect(atlas.createdTokens()).toHaveLength(1);
  const folders = ['forbidden', 'tokens'].map((name) => readdirSync(path.join(deployment.folder, name)));
  expect(folders).toEqual([[], []]);
  expect(readdirSync(path.dirname(deployment.folder))).not.toContain('evil');
}

describe('the activities do nothing when they are called', () => {
  afterEach(expectNothingHappened);

  it('as standalone activities', async () => {
    const { address } = await sharedTemporal();
    const exits = allCalls().map(({ activity, args }, index) =>
      temporalCli(
        address,
        ...['activity', 'execute', '--activity-id', `${deployment.taskQueue}-${index}`, '--type', activity],
        ...['--task-queue', deployment.taskQueue, '--start-to-close-timeout', '30s'],
        ...['--retry-maximum-attempts', '1'],
        ...args.flatMap((arg) => ['--input', JSON.stringify(arg)]),
      ),
    );
    for (const { code, stdout, stderr } of await Promise.all(exits)) {
      expect({ code, output: stdout + stderr }).toEqual({
        code: 1,
        output: expect.stringMatching(/the request is not valid|sealed for another workflow id/),
      });
    }
  });

  it.each([
    [
      'from a workflow of another type, under the workflow id of the token',
      'foreign',
      () => cancelled.workflowId,
    ],
    ['from a workflow that takes our name, under another workflow id', 'prepareLiveMigration', newOrgId],
  ] as const)('%s', async (_who, type, workflowId) => {
    for (const outcome of await foreigner.call(type, workflowId(), allCalls())) {
      expect(outcome).toEqual({
        type: expect.stringMatching(/^(InvalidRequest|SealedTokenUnreadable)$/),
        message: expect.any(String),
      });
    }
  });

  it('from our own workflow, under another workflow id', async () => {
    const { client } = await sharedTemporal();
    const handle: Pick<Handle, 'result'> = await client.workflow.start('prepareLiveMigration', {
      workflowId: newOrgId(),
      taskQueue: deployment.taskQueue,
      args: [deployment.newRequest(), { sealedToken: sealed, sinksTried: [] }],
    });
    expect(await endingOf(handle)).toMatchObject({ type: 'InvalidRequest' });
  });
});

describe('a workflow that takes our name and the usual id', () => {
  /** Under the id that the activity expects. */
  async function outcomeOf(call: Call, workflowId = cancelled.workflowId): Promise<CallOutcome | undefined> {
    const [outcome] = await foreigner.call('prepareLiveMigration', workflowId, [call]);
    return outcome;
  }

  it.each(CREATIONS.slice(0, 2))('creates nothing with %s', async (_what, change) => {
    expect(await outcomeOf(create(change()))).toMatchObject({ type: 'InvalidRequest' });
    expectNothingHappened();
  });

  it('creates nothing for an organization outside the map, whatever credential it names', async () => {
    const sourceOrgId = newOrgId();
    const call = create({ orgId: payments.orgId, credential: 'payments', sourceOrgId });
    expect(await outcomeOf(call, workflowIdFor(payments.orgId, sourceOrgId))).toMatchObject({
      type: 'AtlasUnavailable',
      message: expect.stringContaining('no credential for this organization'),
    });
    expectNothingHappened();
  });

  it('delivers nothing to a sink that the organization may not use', async () => {
    expect(await outcomeOf(deliver('forbidden'))).toMatchObject({ type: 'SinkRejected' });
    expectNothingHappened();
  });

  it('delivers a genuine token as a valid request would: to its own file', async () => {
    expect(await outcomeOf(deliver('files'))).toMatchObject({ result: { sink: 'files' } });
    const { orgId, sourceOrgId, deliveryId } = sealed;
    expect(deployment.tokenFiles()).toEqual([`${orgId}.${sourceOrgId}.${deliveryId}.link-token`]);
  });
});

interface CancelledRun {
  request: PrepareRequest;
  /** The token as history holds it. */
  sealedToken: SealedToken;
}

async function cancelledRun(): Promise<CancelledRun> {
  const request = deployment.newRequest({ sink: 'rejects' });
  const handle = await deployment.start(request);
  await untilStep(handle, 'undelivered');
  await handle.cancel();
  expect(await endingOf(handle)).toMatchObject({ type: 'Cancelled' });
  return { request: { ...request, sink: 'files' }, sealedToken: (await createdToken(handle)) as SealedToken };
}

function recover({ request, sealedToken }: CancelledRun): Promise<Handle> {
  return deployment.start(request, { sealedToken, sinksTried: [] });
}

const OTHER_FACTS = {
  orgId: newOrgId(),
  sourceOrgId: newOrgId(),
  accessListIps: ['0.0.0.0/0'],
  credential: 'other',
  warnings: ['forged'],
  requestedBy: 'somebody else',
  changeReference: 'another change',
  deliveryId: randomUUID(),
  tokenSha256: 'a'.repeat(64),
  createdAt: '9999-12-31T23:59:59Z',
  unconfirmedTokens: 7,
};

it('every field outside the seal is altered: no effect on what is delivered, nor on the receipt', async () => {
  const before = deployment.tokens();
  const { request, sealedToken } = await cancelledRun();
  const linkToken = atlas.createdTokens().at(-1)?.linkToken;
  expect(Object.keys({ jwe: '', ...OTHER_FACTS }).sort()).toEqual(Object.keys(sealedToken).sort());
  const genuine = await (await recover({ request, sealedToken })).result();
  const receipt: Receipt = { ...genuine, deliveredAt: expect.any(String) };
  const forged = { ...sealedToken, ...OTHER_FACTS };
  expect(await (await recover({ request, sealedToken: forged })).result()).toEqual(receipt);

  const { workflowId } = deployment.handleOf(request);
  const call = { activity: 'deliverLinkToken', args: [forged, 'files'] };
  const { alsoTried: _, ...result } = receipt;
  expect(await foreigner.call('prepareLiveMigration', workflowId, [call])).toEqual([{ result }]);
  expect(deployment.tokens().filter((token) => !before.includes(token))).toEqual([linkToken]);
});

it('a forged recovery is unreadable, delivers nothing, and does not block the genuine one', async () => {
  const run = await cancelledRun();
  const { sealedToken: ofAnotherRun } = await cancelledRun();
  const filesBefore = deployment.tokenFiles();
  const [header, key, iv, ciphertext = '', tag] = run.sealedToken.jwe.split('.');
  const flipped = (ciphertext.startsWith('A') ? 'B' : 'A') + ciphertext.slice(1);
  const forgeries = ['eyJ.invented', [header, key, iv, flipped, tag].join('.'), ofAnotherRun.jwe];
  for (const jwe of forgeries) {
    const handle = await recover({ ...run, sealedToken: { ...run.sealedToken, jwe } });
    await untilStep(handle, 'undelivered');
    expect(await redeliver(handle)).toMatchObject({ type: 'SealedTokenUnreadable' });
    await handle.cancel();
    expect(await endingOf(handle)).toMatchObject({ type: 'Cancelled' });
  }
  expect(deployment.tokenFiles()).toEqual(filesBefore);

  const { deliveryId } = run.sealedToken;
  expect(await endingOf(await recover(run))).toMatchObject({ receipt: { deliveryId, sink: 'files' } });
});
