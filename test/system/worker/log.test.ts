import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startEmbeddedTemporal } from '../../../dev/temporal/embedded-temporal';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { deploy, startAtlas, startSetting, type Setting } from '../../support/setting';
import type { WorkerProcess } from '../../support/worker-process';

/** What a worker printed, on standard output and standard error. The last line may still be on its way. */
function linesOf(worker: WorkerProcess): Record<string, unknown>[] {
  return worker
    .output()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('a worker that loses its server, and is warned by Node, prints JSON lines only, and ends', async () => {
  const temporal = await startEmbeddedTemporal();
  const deployment = await deploy({ atlas: await startAtlas(), temporal });
  const preload = path.join(deployment.folder, 'warn.cjs');
  writeFileSync(preload, "process.on('SIGUSR2', () => process.emitWarning('a warning of Node'));\n");
  const worker = await deployment.startWorker({ NODE_OPTIONS: `--require ${preload}` });

  process.kill(worker.pid, 'SIGUSR2');
  await eventually('the warning', () => worker.output().includes('a warning of Node'));
  await temporal.stop();
  const warningsOfCore = () =>
    linesOf(worker).filter(({ sdkComponent, level }) => sdkComponent === 'core' && level === 'warn');
  await eventually('a warning of Core', () => warningsOfCore().length > 0);
  expect(await worker.stop()).toEqual({ code: 0, signal: null });

  expect(linesOf(worker)).toContainEqual(
    expect.objectContaining({ level: 'warn', msg: 'a warning of Node' }),
  );
});

describe('the log of a worker', () => {
  it('shows failures without a stack, and no task token, even at level trace', async () => {
    const { atlas, worker, deployment } = await startSetting({ config: { log: { level: 'trace' } } });
    atlas.faults({ on: 'linkTokens', status: 403 });
    const handle = await deployment.start();
    expect(await endingOf(handle)).toMatchObject({ type: 'AtlasRequestRejected' });
    expect(JSON.stringify(await handle.fetchHistory())).not.toMatch(/"stackTrace":"[^"]/);
    await eventually('the failure', () => worker.logged('Workflow failed').length > 0);

    const errors = linesOf(worker).flatMap(({ error }) => (error instanceof Object ? [error] : []));
    expect(errors).toContainEqual(expect.objectContaining({ type: 'AtlasRequestRejected' }));
    expect(errors).toContainEqual(expect.objectContaining({ type: 'ApplicationFailure' }));
    for (const error of errors) expect(error).not.toHaveProperty('stack');
    expect(worker.output()).not.toMatch(/task_?token\W+[\w+/=]{16}/i);
  });

  describe('at level debug', () => {
    let setting: Setting;
    beforeAll(async () => {
      setting = await startSetting({ config: { log: { level: 'debug' } } });
    });

    it('names the run, the organizations and who asked in every line of a run above level debug', async () => {
      const { atlas, worker, deployment } = setting;
      atlas.faults({ on: 'linkTokens', status: 429 });
      const request = deployment.newRequest({ requestedBy: 'ana\u001b[2J' });
      expect(await endingOf(await deployment.start(request))).toMatchObject({ type: 'delivered' });
      await eventually('the end', () => worker.logged('Workflow completed').length > 0);
      const { workflowId } = deployment.handleOf(request);
      const { orgId, sourceOrgId } = request;
      const lines = linesOf(worker).filter((line) => 'workflowId' in line && line['sdkComponent'] !== 'core');
      expect(new Set(lines.map(({ msg }) => msg))).toEqual(
        new Set([
          ...['Workflow started', 'link-token created', 'link-token delivered', 'Workflow completed'],
          ...['Activity started', 'Activity failed', 'Activity completed'],
        ]),
      );
      const named = { workflowId, orgId, sourceOrgId, requestedBy: 'ana\\u001b[2J' };
      const without = lines.filter(
        (line) => !Object.entries(named).every(([key, value]) => line[key] === value),
      );
      // The SDK writes these, at level debug, before it calls an interceptor.
      expect(new Set(without.map(({ msg }) => msg))).toEqual(
        new Set(['Workflow started', 'Activity started']),
      );
    });

    it('tells a mistake of the caller without an error line', async () => {
      const { worker, deployment } = setting;
      const ending = await endingOf(await deployment.start(deployment.newRequest({ sink: 'nope' })));
      expect(ending.type).toBe('InvalidRequest');
      await eventually('the failure', () => worker.logged('Workflow failed').length > 0);
      expect(linesOf(worker).filter(({ level }) => level === 'error')).toEqual([]);
      expect(worker.logged('link-token job failed')).toMatchObject([
        { level: 'warn', type: 'InvalidRequest' },
      ]);
    });
  });
});
