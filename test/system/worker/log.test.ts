import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Fault } from '../../../dev/atlas-emulator';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, startInstallation, type Installation } from '../../support/installation';
import { endingOf } from '../../support/runs';
import { linesOf } from '../../support/worker-process';

const JOB_FAILED = { msg: 'link-token job failed' };

describe('the log of a worker at level trace', () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await startInstallation({ config: { log: { level: 'trace' } } });
  });

  /** Returns the ending of a run, and the lines of the log since before it. */
  async function runToEnd(sink: string, ...faults: Fault[]) {
    const { atlas, worker, deployment } = installation;
    const { length } = linesOf(worker);
    atlas.faults(faults);
    const handle = await deployment.start(deployment.newRequest({ sink }));
    const { type } = await endingOf(handle);
    const lines = () => linesOf(worker).slice(length);
    const { workflowId } = handle;
    const isEnd = ({ msg, ...line }: Record<string, unknown>) =>
      line['workflowId'] === workflowId && /^Workflow (completed|failed)$/.test(String(msg));
    await eventually('the end', () => lines().some(isEnd));
    return { type, handle, lines: lines() };
  }

  it('names the run in every line of it', async () => {
    const { type, handle, lines } = await runToEnd('files', { on: 'linkTokens', status: 429 });
    expect(type).toBe('delivered');
    const named = lines.filter(
      ({ level, sdkComponent, workflowId }) =>
        workflowId === handle.workflowId && sdkComponent !== 'core' && level !== 'trace',
    );
    expect([...new Set(named.map(({ msg }) => msg))].sort()).toEqual([
      ...['Activity completed', 'Activity failed', 'Activity started', 'Workflow completed'],
      ...['Workflow started', 'link-token created', 'link-token delivered', 'link-token received'],
    ]);
  });

  it('logs a mistake of the caller without an error line', async () => {
    const { type, lines } = await runToEnd('nope');
    expect(type).toBe('InvalidRequest');
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
    expect(lines).toContainEqual(expect.objectContaining({ ...JOB_FAILED, level: 'warn', type }));
  });

  it('logs a failed run at level error, without a stack', async () => {
    const { type, handle, lines } = await runToEnd('files', { on: 'linkTokens', status: 403 });
    expect(type).toBe('AtlasRequestRejected');
    expect(lines).toContainEqual(expect.objectContaining({ ...JOB_FAILED, level: 'error', type }));
    expect(JSON.stringify(await handle.fetchHistory())).not.toMatch(/"stackTrace":"[^"]/);

    const errors = lines.flatMap(({ error }) => (error instanceof Object ? [error] : []));
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
