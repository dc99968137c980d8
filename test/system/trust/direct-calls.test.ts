import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { workflowIdFor } from '../../../src/contract/names';
import type { SealedToken } from '../../../src/contract/schemas';
import { cleanUpLater } from '../../support/clean-up';
import type { Deployment, Handle } from '../../support/deployment';
import { createdToken } from '../../support/history';
import { newOrgId } from '../../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../../support/setting';
import type { TestAtlas } from '../../support/atlas';
import { untilStep } from '../../support/updates';

jest.setTimeout(60_000);

/** What anyone who may start work in the namespace can write: it calls one of our activities with any input. */
const FOREIGN_WORKFLOW = `
const { proxyActivities } = require('@temporalio/workflow');
async function call(taskQueue, name, args) {
  const activities = proxyActivities({ taskQueue, startToCloseTimeout: '20s', retry: { maximumAttempts: 1 } });
  return activities[name](...args);
}
exports.foreign = call;
exports.prepareLiveMigration = call;
`;

let atlas: TestAtlas;
let deployment: Deployment;
const foreignQueue = `foreign-${randomUUID()}`;

beforeAll(async () => {
  // Each refusal fails a workflow of the stranger, on purpose.
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  atlas = await startAtlas();
  deployment = await deploy({
    atlas,
    config: {
      sinks: {
        files: { type: 'file', directory: 'tokens' },
        broken: { type: 'file', directory: 'sealing-keys.json' },
      },
    },
  });
  mkdirSync(path.join(deployment.folder, 'evil'));
  await deployment.startWorker();

  const folder = mkdtempSync(path.join(__dirname, 'foreign-'));
  cleanUpLater(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, 'workflows.js'), FOREIGN_WORKFLOW);
  const { address } = await sharedTemporal();
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue: foreignQueue,
    workflowsPath: path.join(folder, 'workflows.js'),
  });
  const running = worker.run();
  cleanUpLater(async () => {
    worker.shutdown();
    await running;
    await connection.close();
  });
}, 60_000);

/** Calls an activity of the product from a workflow of a stranger. */
async function call(
  name: string,
  args: unknown[],
  workflowId: string = randomUUID(),
  type = 'foreign',
): Promise<string> {
  const { client } = await sharedTemporal();
  try {
    await client.workflow.execute(type, {
      workflowId,
      taskQueue: foreignQueue,
      args: [deployment.taskQueue, name, args],
    });
    return 'completed';
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause?.cause : undefined;
    if (!(cause instanceof ApplicationFailure)) throw error;
    return String(cause.type);
  }
}

const request = (more: object = {}) => ({
  orgId: atlas.account.orgId,
  sourceOrgId: newOrgId(),
  accessListIps: ['198.41.0.4'],
  sink: 'files',
  credential: 'default',
  warnings: [],
  requestedBy: null,
  changeReference: null,
  ...more,
});
const create = (more: object = {}) => [
  { request: request(more), unconfirmedTokens: 0, deadlineAtMs: Date.now() + 60_000 },
];

describe('createLinkToken, called by a stranger,', () => {
  it.each<[what: string, more: object]>([
    ['an organization id that names another Atlas path', { orgId: `${'f'.repeat(24)}/apiKeys?x=` }],
    ['the whole Internet on the access list', { accessListIps: ['0.0.0.0/0'] }],
    ['a valid request, outside a run of its own id', {}],
    ['an organization that is not its own', { orgId: 'f'.repeat(24) }],
  ])('refuses %s, and sends nothing to Atlas', async (_what, more) => {
    expect(await call('createLinkToken', create(more))).toBe('InvalidRequest');
    expect(atlas.posts()).toEqual([]);
  });

  it('refuses the whole Internet under the right workflow id and type, too', async () => {
    const sourceOrgId = newOrgId();
    const args = create({ sourceOrgId, accessListIps: ['0.0.0.0/0'] });
    const workflowId = workflowIdFor(atlas.account.orgId, sourceOrgId);
    expect(await call('createLinkToken', args, workflowId, 'prepareLiveMigration')).toBe('InvalidRequest');
    expect(atlas.posts()).toEqual([]);
  });
});

describe('deliverLinkToken, called by a stranger with a genuine sealed token,', () => {
  let handle: Handle;
  let token: SealedToken;
  beforeAll(async () => {
    handle = await deployment.start(deployment.newRequest({ sink: 'broken' }));
    await untilStep(handle, 'undelivered');
    token = (await createdToken(handle)) as SealedToken;
  });

  it('refuses it outside the run that it was sealed for', async () => {
    expect(await call('deliverLinkToken', [token, 'files'])).toBe('SealedTokenUnreadable');
    expect(deployment.tokens()).toEqual([]);
  });

  it.each<[field: string, value: unknown]>([
    ['orgId', 'e'.repeat(24)],
    ['sourceOrgId', 'e'.repeat(24)],
    ['accessListIps', ['198.41.0.5']],
    ['credential', 'other'],
    ['warnings', ['altered']],
    ['requestedBy', 'someone'],
    ['changeReference', 'altered'],
    ['deliveryId', randomUUID()],
    ['tokenSha256', 'e'.repeat(64)],
    ['createdAt', '9999-12-31T23:59:59Z'],
    ['unconfirmedTokens', 99],
  ])('takes nothing from an altered %s', async (field, value) => {
    const before = new Set(readdirSync(deployment.folder));
    const other = await deployment.start(deployment.newRequest({ sink: 'broken' }));
    await untilStep(other, 'undelivered');
    const genuine = (await createdToken(other)) as SealedToken;
    await other.cancel();
    await other.result().catch(() => undefined);

    const recovery = { sealedToken: { ...genuine, [field]: value }, sinksTried: [] };
    const run = await deployment.start(
      deployment.newRequest({ orgId: genuine.orgId, sourceOrgId: genuine.sourceOrgId }),
      recovery,
    );
    const { jwe: _, ...facts } = genuine;
    expect(await run.result()).toMatchObject(facts);
    expect(new Set(readdirSync(deployment.folder))).toEqual(before);
  });

  it('refuses path segments in the sealed token, and writes nothing outside the sink', async () => {
    const evil = { ...token, sourceOrgId: '/../../evil/PWNED' };
    expect(await call('deliverLinkToken', [evil, 'files'], handle.workflowId.concat('/x'))).toBe(
      'InvalidRequest',
    );
    expect(readdirSync(path.join(deployment.folder, 'evil'))).toEqual([]);
  });
});
