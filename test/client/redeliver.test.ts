import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { objectIn, setScene, type Scene, type Target } from '../support/command-line';
import { newOrgId } from '../support/ids';

jest.setTimeout(90_000);

const TO_BLOCKED = ['--ip', '203.0.113.7', '--sink', 'blocked'];

let scene: Scene;

beforeAll(async () => {
  scene = await setScene({
    sinks: {
      files: { type: 'file', directory: 'tokens' },
      blocked: { type: 'file', directory: 'in-the-way' },
    },
  });
  await scene.deployment.startWorker();
}, 60_000);

const inTheWay = () => path.join(scene.deployment.folder, 'in-the-way');

/** A run whose token no sink took. */
async function undelivered(): Promise<Target> {
  rmSync(inTheWay(), { recursive: true, force: true });
  writeFileSync(inTheWay(), 'a file where a folder should be');
  const target = scene.newTarget();
  const { code, stderr } = await scene.client('start', ...target.options, ...TO_BLOCKED, '--wait');
  expect(code).toBe(1);
  expect(stderr).toMatch(/SinkRejected: .*is not a directory.*is kept, sealed, in this run's history/);
  return target;
}

const lastToken = () => scene.atlas.createdTokens().at(-1)?.linkToken;
const contentIn = (folder: string) =>
  readdirSync(folder).map((file) => readFileSync(path.join(folder, file), 'utf8'));

describe('a token that was not delivered', () => {
  it('is not followed by a second one: start refuses and names redeliver, which delivers it', async () => {
    const { workflowId, options } = await undelivered();
    const posts = scene.atlas.posts().length;
    const refused = await scene.client('start', ...options, ...TO_BLOCKED);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(`live-migration-prep redeliver --workflow-id ${workflowId}\n`);
    expect(scene.atlas.posts()).toHaveLength(posts);

    rmSync(inTheWay());
    mkdirSync(inTheWay());
    const { code, stdout } = await scene.client('redeliver', '--workflow-id', workflowId);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^redelivering token [\da-f-]{36} of run [\da-f-]{36} to blocked\n/);
    expect(stdout).toContain(`token is in   file ${inTheWay()}`);
    expect(contentIn(inTheWay())).toEqual([lastToken()]);
  });

  it('goes to another sink by --sink; an unknown sink is refused and loses nothing', async () => {
    const { options } = await undelivered();
    const unknown = await scene.client('--json', 'redeliver', ...options, '--sink', 'nowhere');
    expect(unknown.code).toBe(1);
    expect(objectIn(unknown)).toMatchObject({
      type: 'InvalidRequest',
      error: expect.stringMatching(/"nowhere" is not a sink .*: write one of files, blocked/) as unknown,
    });

    const posts = scene.atlas.posts().length;
    const redelivered = await scene.client('--json', 'redeliver', ...options, '--sink', 'files');
    expect(redelivered).toMatchObject({ code: 0, stderr: '' });
    expect(objectIn(redelivered).receipt.sink).toBe('files');
    expect(contentIn(scene.deployment.tokensFolder)).toEqual([lastToken()]);
    expect(scene.atlas.posts()).toHaveLength(posts);

    const nothingWaits = await scene.client('redeliver', ...options);
    expect(nothingWaits).toMatchObject({ code: 1, stdout: '' });
    expect(nothingWaits.stderr).toContain('holds no token that waits for delivery');
  });

  it('stays where it is while another run of its id is under way', async () => {
    const { options } = await undelivered();
    const nobodyWorksHere = ['--task-queue', `nobody-${newOrgId()}`];
    const again = ['start', ...options, ...TO_BLOCKED, '--again', ...nobodyWorksHere];
    expect(await scene.client(...again)).toMatchObject({ code: 0 });

    const redeliver = await scene.client('redeliver', ...options, '--sink', 'files');
    expect(redeliver.code).toBe(1);
    expect(redeliver.stderr).toContain('a run of this workflow id is under way: wait for it to end');
  });
});
