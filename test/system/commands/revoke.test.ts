import type { RevokeRequest } from '../../../src/contract/schemas';
import { revocationIdFor } from '../../../src/contract/names';
import { setScene, type Scene } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { startForeignRun } from '../../support/foreign-run';
import { objectIn } from '../../support/run-command';
import { sharedTemporal } from '../../support/setting';

let scene: Scene;
let org: string[];
let workflowId: string;

beforeAll(async () => {
  scene = await setScene();
  await scene.deployment.startWorker();
  const { orgId } = scene.atlas.account;
  org = ['--org', orgId];
  workflowId = revocationIdFor(orgId);
}, 60_000);

const requestsToRemove = () => scene.atlas.requestsOn('deleteLinkTokens').length;

describe('revoke', () => {
  it('names what it removes, and removes it when somebody confirms, with who requested it on record', async () => {
    await scene.client(
      'start',
      ...scene.newTarget().options,
      ...['--ip', '192.31.196.7', '--sink', 'files'],
      '--wait',
    );
    const audit = ['--requested-by', 'jo@example.com', '--change-reference', 'CHG-7'];
    const { code, stdout, stderr } = await scene.onTerminal('y\n', 'revoke', ...org, ...audit).exited;
    const [, orgId = ''] = org;
    expect(stderr).toBe(
      `Atlas removes the link of organization ${orgId} and its API key, whichever token made it: this interrupts a running migration of any of its sources.\nRemove it? [y/N] `,
    );
    expect(stdout).toMatch(
      new RegExp(
        `^started ${workflowId}\nremoved the link of organization ${orgId} and its API key, at 2\\S+Z with credential default\n$`,
      ),
    );
    expect(code).toBe(0);

    const { client } = await sharedTemporal();
    const { events = [] } = await client.workflow.getHandle(workflowId).fetchHistory();
    const [input] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    const request: RevokeRequest = { orgId, requestedBy: 'jo@example.com', changeReference: 'CHG-7' };
    expect(JSON.parse(Buffer.from(input?.data ?? []).toString())).toEqual(request);
  });

  it.each(['n\n', '\n', ''])('removes nothing after %j', async (typed) => {
    const before = requestsToRemove();
    const { code, stdout, stderr } = await scene.onTerminal(typed, 'revoke', ...org).exited;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('nothing was removed: it was not confirmed');
    expect(requestsToRemove()).toBe(before);
  });

  it('goes on after a 503, joins a removal under way, and says that there is no link', async () => {
    scene.atlas.faults({ on: 'deleteLinkTokens', status: 503, times: 2 });
    const before = requestsToRemove();
    const first = scene.client('--json', 'revoke', ...org, '--yes');
    await eventually('the first request', () => requestsToRemove() > before);
    const second = await scene.client('revoke', ...org, '--yes');
    expect(second.stdout).toMatch(/^joined the open .*\norganization \S+ has no link: there was none/);
    expect(objectIn(await first)).toMatchObject({ workflowId, outcome: 'noLink', credential: 'default' });
    expect(requestsToRemove()).toBe(before + 3);
  });

  it('refuses to join a run of another workflow type, which would end as if the link were gone', async () => {
    const { client } = await sharedTemporal();
    const foreign = await startForeignRun(client, workflowId);
    const { code, stderr } = await scene.client('--timeout', '10s', 'revoke', ...org, '--yes');
    await foreign.terminate();
    expect({ code, stderr }).toEqual({
      code: 6,
      stderr: `live-migration-prep: the run of ${workflowId} is of workflow type foreign, not revokeLink: Temporal's own CLI shows it, and ends it while it is open\n`,
    });
  });

  it('stops waiting after --timeout, and says how to see the end', async () => {
    scene.atlas.faults({ on: 'deleteLinkTokens', status: 503, times: 10_000 });
    const { code, stderr } = await scene.client('--timeout', '2s', 'revoke', ...org, '--yes');
    scene.atlas.clearFaults();
    expect(code).toBe(4);
    expect(stderr).toContain(
      `\nthe removal goes on; see how it ends: temporal workflow result --workflow-id ${workflowId}\n`,
    );
    expect((await scene.client('revoke', ...org, '--yes')).code).toBe(0);
  });

  it('exits with 1 and the reason when Atlas refuses it, and with 7 when it is cancelled', async () => {
    scene.atlas.faults({ on: 'deleteLinkTokens', status: 403 });
    const { code, stderr } = await scene.client('revoke', ...org, '--yes');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^live-migration-prep: AtlasRequestRejected: Atlas returned 403/);

    scene.atlas.faults({ on: 'deleteLinkTokens', status: 503, times: 10_000 });
    const cancelled = scene.client('--json', 'revoke', ...org, '--yes');
    const { client } = await sharedTemporal();
    await eventually(
      'a run',
      async () => (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING',
    );
    await client.workflow.getHandle(workflowId).cancel();
    expect((await cancelled).code).toBe(7);
    scene.atlas.clearFaults();
  });
});
