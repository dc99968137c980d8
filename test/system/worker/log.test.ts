import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import {
  FILE_SINKS,
  install,
  startSystem,
  type Handle,
  type System,
} from '../../support/installation';
import { endingOf } from '../../support/runs';
import { linesOf } from '../../support/worker-process';

describe('the log of a worker at level trace', () => {
  let system: System;
  beforeAll(async () => {
    const aws = { type: 'awsSecretsManager', region: 'eu-central-1', secretName: '{orgId}' };
    system = await startSystem({
      config: {
        log: { level: 'trace' },
        sinks: { files: FILE_SINKS.files, one: aws, two: aws },
      },
      env: {
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'false',
      },
    });
  });

  /** Runs a job to its end, and returns the lines of the log that name it. */
  async function logOf(handle: Handle) {
    await endingOf(handle);
    const lines = () =>
      linesOf(system.worker).filter(({ workflowId }) => workflowId === handle.workflowId);
    const isEnd = ({ msg }: Record<string, unknown>) =>
      /^Workflow (completed|failed)$/.test(String(msg));
    return eventually('the end', () => lines().some(isEnd) && lines());
  }

  it('warns once about releases of the AWS SDK that need a newer Node', () => {
    const warnings = linesOf(system.worker).filter(({ warning }) => warning);
    expect(warnings).toMatchObject(
      process.versions.node < '22'
        ? [{ level: 'warn', msg: expect.stringMatching(/January 2027\s+will require node >=22/) }]
        : [],
    );
  });

  it('names the run in every line about it', async () => {
    const { atlas, installation } = system;
    atlas.faults({ on: 'linkTokens', status: 429 });
    const lines = await logOf(await installation.start());
    const ours = lines.filter(
      ({ level, sdkComponent }) => sdkComponent !== 'core' && level !== 'trace',
    );
    expect([...new Set(ours.map(({ msg }) => msg))].sort()).toEqual([
      'Activity completed',
      'Activity failed',
      'Activity started',
      'Workflow completed',
      'Workflow started',
      'link-token created',
      'link-token delivered',
      'link-token received',
    ]);
    expect(ours.filter((line) => 'taskToken' in line)).toEqual([]);
  });

  it('has a line for each attempt that may have created a token, with times if it returned none', async () => {
    const { atlas, installation } = system;
    atlas.faults({ on: 'linkTokens', status: 503 });
    const postsBefore = atlas.posts().length;
    const handle = await installation.start();
    const lines = (await logOf(handle)).filter(({ msg }) =>
      /^link-token (unconfirmed|created)$/.test(String(msg)),
    );
    const { orgId } = atlas.account;
    const reason = expect.stringContaining('503');
    const [unconfirmed, created] = [
      { msg: 'link-token unconfirmed', reason },
      { msg: 'link-token created' },
    ];
    expect(lines).toMatchObject([
      { ...unconfirmed, level: 'warn', orgId, credential: 'default' },
      { ...created, level: 'info', orgId },
    ]);
    const [post] = atlas.posts().slice(postsBefore);
    const times = [lines[0]?.['startedAt'], post?.startedAt, lines[0]?.['endedAt']];
    expect(times).toEqual(times.toSorted());
  });

  it('escapes what a terminal executes and what reorders text', async () => {
    const requestedBy = 'Ada\u009b2J\u202e';
    const { installation, worker } = system;
    const lines = await logOf(await installation.start(installation.newRequest({ requestedBy })));
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'link-token delivered', requestedBy }),
    );
    expect(/[\u007f-\u009f\u202e]/.test(worker.output())).toBe(false);
  });

  it.each([
    [
      'a mistake of the caller at level warn',
      'nope',
      'warn',
      'InvalidRequest',
      'the request is not valid: sink "nope" is not',
    ],
    [
      'a failed run at level error, without a stack',
      'files',
      'error',
      'AtlasRequestRejected',
      'Atlas returned 403',
    ],
  ])('has %s', async (_what, sink, level, type, reason) => {
    const { atlas, installation } = system;
    atlas.faults({ on: 'linkTokens', status: 403 });
    const handle = await installation.start(installation.newRequest({ sink }));
    const lines = await logOf(handle);
    atlas.clearFaults();
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'link-token job failed',
        level,
        type,
        reason: expect.stringContaining(reason),
      }),
    );
    expect(lines.some((line) => line['level'] === 'error')).toBe(level === 'error');
    const errors = lines.flatMap(({ error }) => (error instanceof Object ? [error] : []));
    expect(errors).toContainEqual({ type, message: expect.any(String) });
    for (const error of errors) expect(error).not.toHaveProperty('stack');
    expect(JSON.stringify(await handle.fetchHistory())).not.toMatch(/"stackTrace":"[^"]/);
  });
});

it('a worker whose log cannot be written works on, and ends at SIGTERM', async () => {
  const installation = await install({ atlas: await startAtlas() });
  const preload = path.join(installation.folder, 'no-output.cjs');
  // The lowest file descriptor that is free is that of standard output. It is open for reading
  // only.
  writeFileSync(
    preload,
    "const fs = require('node:fs'); fs.closeSync(1); fs.openSync(__filename, 'r');\n",
  );
  const worker = installation.spawnWorker({ NODE_OPTIONS: `--require ${preload}` });
  expect(await endingOf(await installation.start())).toMatchObject({ type: 'delivered' });
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  expect(worker.output()).not.toMatch(/EBADF|Error/);
});
