import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { CLIENT, setBlockedScene, type BlockedScene } from '../../support/command-line';
import { end, endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { objectIn } from '../../support/run-command';
import { sharedTemporal } from '../../support/setting';
import { untilStep } from '../../support/updates';

let scene: BlockedScene;

beforeAll(async () => {
  scene = await setBlockedScene();
});

interface Result {
  line: number;
  workflowId: string;
  action: string;
  reason: string;
  runId?: string;
}

function fileOf(requests: readonly object[]): string {
  const file = path.join(scene.deployment.folder, `${newOrgId()}.jsonl`);
  writeFileSync(file, requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  return file;
}

/** In the order of the lines. */
function resultsIn(file: string): Result[] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  return lines.map((line) => JSON.parse(line) as Result).sort((x, y) => x.line - y.line);
}

const newRequests = (count: number) => Array.from({ length: count }, () => scene.deployment.newRequest());
const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => workflowIdFor(orgId, sourceOrgId);
const actionsIn = (file: string) => resultsIn(file).map(({ action }) => action);

/** Tokens of these requests at Atlas, by the receipts. */
async function deliveryIds(requests: readonly PrepareRequest[]): Promise<Set<string>> {
  const receipts = await Promise.all(
    requests.map(async (request) => (await endingOf(scene.deployment.handleOf(request))).receipt),
  );
  return new Set(receipts.map((receipt) => receipt?.deliveryId ?? 'none'));
}

describe('start --from', () => {
  it('killed in the middle and run again creates one token for each line', async () => {
    const requests = newRequests(Number(process.env['LINES'] ?? 30));
    const tokens = scene.atlas.createdTokens().length;
    const from = fileOf(requests);
    const results = `${from}.results`;
    const { address } = await sharedTemporal();
    const command = ['--task-queue', scene.deployment.taskQueue, 'start', '--from', from];
    const child = spawn(process.execPath, [CLIENT, ...command, '--results', results], {
      env: embeddedEnv(address),
      stdio: 'ignore',
    });
    const exited = once(child, 'exit');
    await eventually('some results', () => resultsIn(results).length >= 10);
    child.kill('SIGKILL');
    await exited;
    const second = await scene.client('start', '--from', from, '--results', results);
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(second.stdout).toMatch(new RegExp(`\\n${requests.length} request\\(s\\): .*\\d+ skipped.*\\n$`));
    expect(resultsIn(results).map(({ line, workflowId }) => [line, workflowId])).toEqual(
      requests.map((request, i) => [i + 1, idOf(request)]),
    );
    expect(await deliveryIds(requests)).toHaveProperty('size', requests.length);
    expect(scene.atlas.createdTokens()).toHaveLength(tokens + requests.length);

    const third = await scene.client('--json', 'start', '--from', from);
    expect(third.code).toBe(0);
    for (const { action, reason } of objectIn(third)['outcomes'] as Result[]) {
      expect(`${action}: ${reason}`).toMatch(
        /^skipped: a token for these organizations was delivered before/,
      );
    }
    expect(scene.atlas.createdTokens()).toHaveLength(tokens + requests.length);
  });

  it('stopped by Ctrl-C records only what it knows, and says what goes on', async () => {
    const requests = newRequests(40);
    const from = fileOf(requests);
    const results = `${from}.results`;
    const command = scene.follow('start', '--from', from, '--results', results);
    await eventually('some results', () => resultsIn(results).length >= 10);
    command.interrupt();
    const { code, stderr } = await command.exited;
    expect(code).toBe(130);
    expect(stderr).toContain('\nthe started runs go on; the same command starts the rest; list runs:');
    expect((await scene.client('start', '--from', from)).code).toBe(0);
    expect(new Set(actionsIn(results))).toEqual(new Set(['started']));
    // The faults of the next test are for its own runs.
    expect(await deliveryIds(requests)).toHaveProperty('size', requests.length);
  });

  it('names every bad line, and starts nothing', async () => {
    const requests = newRequests(40);
    const bad = requests.map((request, i) => (i % 2 === 0 ? request : { ...request, sink: '' }));
    const exit = await scene.client('start', '--from', fileOf(bad));
    expect(exit).toMatchObject({ code: 2, stdout: '' });
    const lines = exit.stderr.split('\n').slice(1, -1);
    expect(lines).toEqual(
      Array.from({ length: 20 }, (_, i) => `  line ${2 * i + 2}: sink is empty: name a configured sink`),
    );
    for (const request of requests) {
      await expect(scene.deployment.handleOf(request).describe()).rejects.toThrow(/not found/i);
    }
  });

  it('starts only ids without a run that is open or delivered, and reports a token that was left', async () => {
    const { deployment } = scene;
    const [delivered, failed, fresh] = newRequests(3) as [PrepareRequest, PrepareRequest, PrepareRequest];
    const blocked = () => deployment.newRequest({ sink: 'blocked' });
    const [open, other, left] = [blocked(), blocked(), blocked()];
    await endingOf(await deployment.start(delivered));
    scene.atlas.faults({ on: 'linkTokens', status: 403 });
    await endingOf(await deployment.start(failed));
    for (const request of [open, other, left])
      await untilStep(await deployment.start(request), 'undelivered');
    await end(deployment.handleOf(left), 'cancel');
    const from = fileOf([delivered, failed, fresh, open, { ...other, accessListIps: [] }, left]);

    const expected = (start: string): unknown[] => [
      expect.stringMatching(/^skipped: a token for these organizations was delivered before \(run /),
      expect.stringMatching(start),
      expect.stringMatching(start),
      expect.stringMatching(/^skipped: a run of an equal request is open \(/),
      expect.stringMatching(
        /^refused: DifferentRequest: .* is open with a different request; accessListIps: open .*, yours .*; wait for /,
      ),
      expect.stringMatching(
        /^refused: run \S+ \(FAILED\) left token .*; deliver it: live-migration-prep redeliver --org .* --run-id \S+; or create /,
      ),
    ];
    const results = `${from}.results`;
    const outcomes = () => resultsIn(results).map(({ action, reason }) => `${action}: ${reason}`);
    const tokens = scene.atlas.createdTokens().length;
    const dry = await scene.client('--json', 'start', '--from', from, '--dry-run');
    const found = objectIn(dry)['outcomes'] as Result[];
    expect(found.map(({ action, reason }) => `${action}: ${reason}`)).toEqual(
      expect.arrayContaining(expected('^would start: into sink files$')),
    );
    expect(dry.code).toBe(6);
    expect(scene.atlas.createdTokens()).toHaveLength(tokens);

    const exit = await scene.client('start', '--from', from, '--results', results, '--wait');
    expect(outcomes()).toEqual(
      expected('^delivered: file ').with(3, expect.stringMatching(/^undelivered: SinkRejected: /)),
    );
    expect(resultsIn(results).at(-1)).toMatchObject({ refused: 'tokenLeft', line: 6 });
    expect(exit.code).toBe(5);
    expect(exit.stderr).toContain('6 request(s): ');
    expect(scene.atlas.createdTokens()).toHaveLength(tokens + 2);
  });

  it('refuses a file of results that is the file of requests, or cannot be written', async () => {
    const from = fileOf(newRequests(1));
    const own = await scene.client('start', '--from', from, '--results', from);
    expect(own).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is the file that --from names') as unknown,
    });
    const nowhere = await scene.client('start', '--from', from, '--results', path.join(from, 'x'));
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('ENOTDIR') as unknown });
    expect(actionsIn(from)).toEqual([undefined]);
  });
});
