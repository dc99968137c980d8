import type { PrepareRequest } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/names';
import { newAccount, seedOf, type TestAtlas } from '../../support/atlas';
import { setBlockedScene, type BlockedScene } from '../../support/command-line';
import { end, endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { objectIn, type ClientExit } from '../../support/run-command';
import { untilListed } from '../../support/setting';
import { untilStep } from '../../support/updates';

interface Outcome {
  workflowId: string;
  action: string;
  reason: string;
}

const on = 'linkTokens';

/** From now on Atlas knows the test's service account with this secret only. */
function setSecretAtAtlas(atlas: TestAtlas, clientSecret: string): void {
  atlas.seed(seedOf([{ ...atlas.account, clientSecret }]));
  atlas.expire('accessTokens');
}

const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => workflowIdFor(orgId, sourceOrgId);

/** By workflow id, in an order of its own. */
function outcomesIn(exit: ClientExit): Record<string, string> {
  const outcomes = objectIn(exit)['outcomes'] as Outcome[];
  return Object.fromEntries(
    outcomes.map(({ workflowId, action, reason }) => [workflowId, `${action}: ${reason}`]),
  );
}

describe('restart, after an expired secret failed many runs and was renewed,', () => {
  let scene: BlockedScene;
  let failed: PrepareRequest[];
  let failedRunIds: string[];
  let left: Record<'open' | 'delivered' | 'cancelled' | 'token' | 'invalid', PrepareRequest>;
  let others: Record<'before' | 'otherFailure', PrepareRequest>;
  let since: string;

  const untilFailed = (runs: number) =>
    untilListed(`TaskQueue = '${scene.deployment.taskQueue}' AND ExecutionStatus = 'Failed'`, runs);

  async function newestRun(request: PrepareRequest) {
    const { runId, status } = await scene.deployment.handleOf(request).describe();
    return { runId, status: status.name };
  }

  beforeAll(async () => {
    scene = await setBlockedScene();
    const { atlas, deployment } = scene;
    const handleOf = (request: PrepareRequest) => deployment.handleOf(request);
    const newRequest = () => deployment.newRequest();
    const runTo = async (request: PrepareRequest, type: string) =>
      expect((await endingOf(await deployment.start(request))).type).toBe(type);

    left = {
      open: newRequest(),
      delivered: newRequest(),
      cancelled: newRequest(),
      token: deployment.newRequest({ sink: 'blocked' }),
      invalid: newRequest(),
    };
    others = { before: newRequest(), otherFailure: deployment.newRequest({ sink: 'nowhere' }) };
    failed = [newRequest(), newRequest(), newRequest()];

    // Its token is left by an earlier run than the one that failed.
    await untilStep(await deployment.start(left.token), 'undelivered');
    await end(handleOf(left.token), 'cancel');

    setSecretAtAtlas(atlas, newAccount().clientSecret);
    await runTo(others.before, 'AtlasRequestRejected');
    since = new Date().toISOString();
    await runTo(others.otherFailure, 'InvalidRequest');
    const { open, delivered, cancelled, token } = left;
    for (const request of [...failed, open, delivered, cancelled, token])
      await runTo(request, 'AtlasRequestRejected');
    // Twice: one run for each id is restarted, the newest.
    await runTo(failed[0] as PrepareRequest, 'AtlasRequestRejected');
    setSecretAtAtlas(atlas, atlas.account.clientSecret);

    await runTo(delivered, 'delivered');
    await untilStep(await deployment.start({ ...open, sink: 'blocked' }), 'undelivered');
    const posts = atlas.posts().length;
    atlas.faults({ on, status: 429, times: 10_000 });
    await deployment.start(cancelled);
    await eventually('a request', () => atlas.posts().length > posts);
    await end(handleOf(cancelled), 'cancel');
    atlas.clearFaults();
    failedRunIds = await Promise.all(failed.map(async (request) => (await newestRun(request)).runId));
    await untilFailed(11);
  });

  const reasonsToLeave = () => ({
    [idOf(left.open)]: expect.stringMatching(/^skipped: a later run is open \(/) as unknown,
    [idOf(left.delivered)]: expect.stringMatching(/^skipped: a later run delivered \(/) as unknown,
    [idOf(left.cancelled)]: expect.stringMatching(/^skipped: a later run ended CANCELLED \(/) as unknown,
    [idOf(left.token)]: expect.stringMatching(
      /^refused: run \S+ left a token; deliver it: live-migration-prep redeliver --org .* --run-id \S+$/,
    ) as unknown,
  });

  it('with --dry-run prints what it would do, and starts nothing', async () => {
    const exit = await scene.client('--json', 'restart', '--since', since, '--dry-run');
    expect(exit.code).toBe(6);
    expect(outcomesIn(exit)).toEqual({
      ...Object.fromEntries(
        failed.map((request, i) => [
          idOf(request),
          `would restart: AtlasRequestRejected in run ${failedRunIds[i] ?? ''}`,
        ]),
      ),
      ...reasonsToLeave(),
    });
    expect(objectIn(exit)['outcomes']).toContainEqual(
      expect.objectContaining({ workflowId: idOf(left.token), refused: 'tokenLeft' }),
    );
    for (const [i, request] of failed.entries()) {
      expect(await newestRun(request)).toEqual({ runId: failedRunIds[i], status: 'FAILED' });
    }
  });

  it('looks at no run of another task queue', async () => {
    const elsewhere = ['--task-queue', `nobody-${newOrgId()}`];
    const exit = await scene.client('--json', 'restart', '--since', since, '--dry-run', ...elsewhere);
    expect(outcomesIn(exit)).toEqual({});
  });

  it('stops after the first run that does not deliver', async () => {
    scene.atlas.faults({ on, status: 403, times: 10_000 });
    const exit = await scene.client('--json', 'restart', '--since', since);
    scene.atlas.clearFaults();
    expect(exit.code).toBe(1);
    const actions = Object.values(outcomesIn(exit)).map((outcome) => outcome.split(':')[0]);
    expect(actions.filter((action) => action === 'failed')).toHaveLength(1);
    expect(actions.filter((action) => action === 'not restarted').length).toBeGreaterThanOrEqual(2);
    await untilFailed(12);
  });

  it('starts each with the request it had, and waits until they are delivered; again, it finds nothing to do', async () => {
    const tokens = scene.atlas.createdTokens().length;
    const { code, stdout, stderr } = await scene.client('restart', '--since', since);
    // For the run that left a token.
    expect(code).toBe(6);
    for (const request of failed) {
      expect(stdout).toMatch(new RegExp(`^\\d/7 {2}delivered {2}${idOf(request)}: file `, 'm'));
      const { sourceOrgId } = await scene.deployment.handleOf(request).result();
      expect(sourceOrgId).toBe(request.sourceOrgId);
    }
    expect(stderr).toMatch(/: 7 earlier failure\(s\) of type AtlasRequestRejected since \S+: .*3 delivered/);
    expect(stderr).toContain('1 refused');
    expect(scene.atlas.createdTokens()).toHaveLength(tokens + failed.length);

    const second = await scene.client('--json', 'restart', '--since', since);
    expect(second.code).toBe(6);
    for (const outcome of Object.values(outcomesIn(second))) expect(outcome).toMatch(/^(skipped|refused): /);
    expect(scene.atlas.createdTokens()).toHaveLength(tokens + failed.length);
    expect(await newestRun(others.before)).toMatchObject({ status: 'FAILED' });
  });

  it('against a sink that rejects exits with 5: the first run is undelivered and goes on, the others are not started', async () => {
    const { atlas, deployment } = scene;
    const tokens = atlas.createdTokens().length;
    const sinceThen = new Date().toISOString();
    const requests = [1, 2].map(() => deployment.newRequest({ sink: 'blocked' }));
    atlas.faults({ on, status: 403, times: 2 });
    for (const request of requests) await endingOf(await deployment.start(request));
    await untilFailed(14);

    const exit = await scene.client('--json', 'restart', '--since', sinceThen);
    expect(exit.code).toBe(5);
    expect(Object.values(outcomesIn(exit)).sort()).toEqual([
      'not restarted: the first restarted run did not deliver',
      expect.stringMatching(/^undelivered: SinkRejected: /),
    ]);
    expect(atlas.createdTokens()).toHaveLength(tokens + 1);
  });

  it('reports and leaves runs whose request is not valid, and the rest go on', async () => {
    const { atlas, deployment, temporal } = scene;
    const sinceThen = new Date().toISOString();
    const { taskQueue } = deployment;
    const ids: string[] = [];
    for (const args of [[], [null], [{ orgId: atlas.account.orgId }]]) {
      const workflowId = workflowIdFor(atlas.account.orgId, newOrgId());
      ids.push(workflowId);
      const handle = await temporal.workflow.start('prepareLiveMigration', { workflowId, taskQueue, args });
      await handle.result().catch(() => undefined);
    }
    // Valid in itself: its sink was missing in the worker's configuration.
    const fixed = deployment.newRequest({ sink: 'later' });
    await (await deployment.start(fixed)).result().catch(() => undefined);
    await deployment.workers[0]?.stop();
    deployment.configure({ sinks: { later: { type: 'file', directory: 'tokens' } } });
    await deployment.startWorker();
    await untilFailed(18);

    const invalid = ['--since', sinceThen, '--failure', 'InvalidRequest'];
    const exit = await scene.client('--json', 'restart', ...invalid);
    expect(exit.code).toBe(6);
    const outcomes = outcomesIn(exit);
    for (const id of ids) expect(outcomes[id]).toMatch(/^refused: its request is not valid: /);
    expect(outcomes[idOf(fixed)]).toMatch(/^delivered: file /);
  });
});
