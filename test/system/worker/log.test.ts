import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, startInstallation, type Installation } from '../../support/installation';
import { endingOf } from '../../support/runs';
import { linesOf } from '../../support/worker-process';

describe('the log of a worker at level trace', () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await startInstallation({ config: { log: { level: 'trace' } } });
  });

  it('names the run in every line of it', async () => {
    const { atlas, worker, deployment } = installation;
    atlas.faults({ on: 'linkTokens', status: 429 });
    const request = deployment.newRequest();
    expect(await endingOf(await deployment.start(request))).toMatchObject({ type: 'delivered' });
    await eventually('the end', () => worker.logged('Workflow completed').length > 0);
    const { workflowId } = deployment.handleOf(request);
    const lines = linesOf(worker).filter(
      ({ level, sdkComponent, ...line }) =>
        line['workflowId'] === workflowId && sdkComponent !== 'core' && level !== 'trace',
    );
    expect([...new Set(lines.map(({ msg }) => msg))].sort()).toEqual([
      ...['Activity completed', 'Activity failed', 'Activity started', 'Workflow completed'],
      ...['Workflow started', 'link-token created', 'link-token delivered', 'link-token received'],
    ]);
  });

  it('logs a mistake of the caller without an error line', async () => {
    const { worker, deployment } = installation;
    const ending = await endingOf(await deployment.start(deployment.newRequest({ sink: 'nope' })));
    expect(ending.type).toBe('InvalidRequest');
    await eventually('the failure', () => worker.logged('Workflow failed').length > 0);
    expect(linesOf(worker).filter(({ level }) => level === 'error')).toEqual([]);
    expect(worker.logged('link-token job failed')).toMatchObject([{ level: 'warn', type: 'InvalidRequest' }]);
  });

  it('shows failures without a stack', async () => {
    const { atlas, worker, deployment } = installation;
    atlas.faults({ on: 'linkTokens', status: 403 });
    const handle = await deployment.start();
    expect(await endingOf(handle)).toMatchObject({ type: 'AtlasRequestRejected' });
    expect(JSON.stringify(await handle.fetchHistory())).not.toMatch(/"stackTrace":"[^"]/);
    await eventually('the failure', () => worker.logged('Workflow failed').length > 1);

    const errors = linesOf(worker).flatMap(({ error }) => (error instanceof Object ? [error] : []));
    expect(errors).toContainEqual(expect.objectContaining({ type: 'AtlasRequestRejected' }));
    expect(errors).toContainEqual(expect.objectContaining({ type: 'ApplicationFailure' }));
    for (const error of errors) expect(error).not.toHaveProperty('stack');
  });
});

it('a worker whose log cannot be written works on, and ends at SIGTERM', async () => {
  const deployment = await deploy({ atlas: await startAtlas() });
  const preload = path.join(deployment.folder, 'no-output.cjs');
  // The lowest file descriptor that is free is that of standard output. It is open for reading only.
  writeFileSync(preload, "const fs = require('node:fs'); fs.closeSync(1); fs.openSync(__filename, 'r');\n");
  const worker = deployment.spawnWorker({ NODE_OPTIONS: `--require ${preload}` });
  expect(await endingOf(await deployment.start())).toMatchObject({ type: 'delivered' });
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  expect(worker.output()).not.toMatch(/EBADF|Error/);
});
