import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { workflowIdFor, type PrepareRequest, type Receipt } from '../../src/contract/names';
import { newAccount, type TestAtlas } from '../support/atlas';
import { objectIn, setScene, type Scene } from '../support/command-line';
import type { ClientExit } from '../support/deployment';
import { endingOf } from '../support/ending';
import { eventually } from '../support/eventually';
import { newOrgId } from '../support/ids';
import { sharedTemporal } from '../support/setting';

jest.setTimeout(60_000);

type Workflow = (request: PrepareRequest) => Promise<Receipt>;

interface Decision {
  workflowId: string;
  action: string;
  reason: string;
}

/** From now on Atlas knows the test's service account with this secret only. */
function setSecretAtAtlas(atlas: TestAtlas, clientSecret: string): void {
  const { orgId, clientId } = atlas.account;
  atlas.seed({
    organizations: [{ id: orgId, name: 'Test organization' }],
    serviceAccounts: [{ clientId, clientSecret, orgId }],
    apiKeys: [],
    settings: { rateLimit: { enabled: false } },
  });
  atlas.expire('accessTokens');
}

const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => workflowIdFor(orgId, sourceOrgId);
const decisionsIn = (exit: ClientExit) => objectIn(exit)['decisions'] as Decision[];

/** What became of each failed run, in an order of its own. */
function fates(decisions: readonly Decision[]): string[] {
  return decisions.map(({ workflowId, action, reason }) => `${action} ${workflowId}: ${reason}`).sort();
}

async function newestRun(request: PrepareRequest) {
  const { client } = await sharedTemporal();
  const { runId, status } = await client.workflow.getHandle(idOf(request)).describe();
  return { runId, status: status.name };
}

describe('restart, after an expired secret has failed many runs and was mended', () => {
  let scene: Scene;
  let failed: { request: PrepareRequest; runId: string }[];
  let requests: Record<'withToken' | 'followed' | 'undelivered' | 'earlier', PrepareRequest>;
  let since: string;

  beforeAll(async () => {
    scene = await setScene({
      sinks: { files: { type: 'file', directory: 'tokens' }, blocked: { type: 'file', directory: 'a-file' } },
    });
    const { atlas, deployment } = scene;
    writeFileSync(path.join(deployment.folder, 'a-file'), '');
    await deployment.startWorker();
    requests = {
      withToken: deployment.newRequest({ sink: 'blocked' }),
      followed: deployment.newRequest(),
      undelivered: deployment.newRequest({ sink: 'blocked' }),
      earlier: deployment.newRequest(),
    };
    const end = async (request: PrepareRequest, type: string) =>
      expect((await endingOf(await deployment.start(request))).type).toBe(type);

    await Promise.all([end(requests.withToken, 'SinkRejected'), end(requests.undelivered, 'SinkRejected')]);
    setSecretAtAtlas(atlas, newAccount().clientSecret);
    await end(requests.earlier, 'AtlasRequestRejected');
    since = new Date().toISOString();
    const many = [1, 2, 3].map(() => deployment.newRequest());
    await Promise.all(
      [...many, requests.withToken, requests.followed].map((r) => end(r, 'AtlasRequestRejected')),
    );
    setSecretAtAtlas(atlas, atlas.account.clientSecret);
    await end(requests.followed, 'delivered');
    failed = await Promise.all(many.map(async (request) => ({ request, ...(await newestRun(request)) })));
    await untilListed(8);
  }, 60_000);

  /** Temporal's list lags behind by moments. */
  async function untilListed(runs: number): Promise<void> {
    const { client } = await sharedTemporal();
    const query = `TaskQueue = '${scene.deployment.taskQueue}' AND ExecutionStatus = 'Failed'`;
    await eventually('the failed runs in the list', async () => {
      return (await client.workflow.count(query)).count === runs;
    });
  }

  /** Of the runs that are left alone, whatever becomes of the others. */
  const left = () => [
    `left ${idOf(requests.withToken)}: its token exists: redeliver it`,
    `left ${idOf(requests.followed)}: a newer run of this id exists`,
  ];

  it('with --dry-run says what it would do, and starts nothing', async () => {
    const exit = await scene.client('--json', 'restart', '--since', since, '--dry-run');
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    const would = failed.map(
      ({ request, runId }) => `would restart ${idOf(request)}: AtlasRequestRejected in run ${runId}`,
    );
    expect(fates(decisionsIn(exit))).toEqual([...would, ...left()].sort());
    for (const { request, runId } of failed) {
      expect(await newestRun(request)).toEqual({ runId, status: 'FAILED' });
    }
  });

  it('leaves a run whose token waits for redelivery, by whichever failure it is asked for', async () => {
    const exit = await scene.client(
      ...['--json', 'restart', '--since', '2020-01-01T00:00:00Z', '--failure', 'SinkRejected', '--dry-run'],
    );
    expect(fates(decisionsIn(exit))).toContain(
      `left ${idOf(requests.undelivered)}: its token exists: redeliver it`,
    );
    expect(decisionsIn(exit).filter(({ action }) => action !== 'left')).toEqual([]);
  });

  it('looks at no run of another task queue', async () => {
    const elsewhere = ['--task-queue', `nobody-${newOrgId()}`];
    const exit = await scene.client('--json', 'restart', '--since', since, '--dry-run', ...elsewhere);
    expect(decisionsIn(exit)).toEqual([]);
  });

  it('starts each with the request it had, and they deliver; a second time starts nothing', async () => {
    const tokens = scene.atlas.createdTokens().length;
    const { code, stdout, stderr } = await scene.client('restart', '--since', since);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/\n3 of 5 failed run\(s\) restarted\n$/);
    const { client } = await sharedTemporal();
    for (const { request } of failed) {
      expect(stdout).toContain(`restarted  ${idOf(request)}: AtlasRequestRejected in run `);
      const { receipt } = await endingOf(client.workflow.getHandle<Workflow>(idOf(request)));
      expect(receipt?.sourceOrgId).toBe(request.sourceOrgId);
    }
    expect(scene.atlas.createdTokens()).toHaveLength(tokens + failed.length);

    const second = await scene.client('restart', '--since', since);
    expect(second.stdout).toMatch(/\n0 of 5 failed run\(s\) restarted\n$/);
    expect(await newestRun(requests.earlier)).toMatchObject({ status: 'FAILED' });
  });
});
