import { endingOf } from '../../support/ending';
import { startHangingSetting, type HangingSetting } from '../../support/hanging-delivery';
import { sharedTemporal } from '../../support/setting';
import { temporalCli } from '../../support/temporal-cli';

let setting: HangingSetting;
beforeAll(async () => void (setting = await startHangingSetting()));

const runTemporal = async (...args: string[]) => {
  const { address } = await sharedTemporal();
  expect(await temporalCli(address, ...args)).toMatchObject({ code: 0 });
};

/** Starts two runs whose delivery hangs, pauses it, and replaces the worker. */
async function startPaused() {
  const { deployment, worker, startHanging } = setting;
  const runs = await Promise.all([startHanging(), startHanging()]);
  for (const { target } of runs) await runTemporal('activity', 'pause', ...target);
  await worker.kill();
  await deployment.startWorker();
  return runs;
}

it('a paused attempt whose worker was lost waits until it is unpaused: watch, redeliver and cancel say so, with the command', async () => {
  const { deployment } = setting;
  const [redelivered, cancelled] = await startPaused();
  const unpause = (target: string[]) =>
    `deliverLinkToken is paused; unpause it: temporal activity unpause ${target.join(' ')}`;
  const client = (command: string, { handle }: typeof redelivered, ...options: string[]) =>
    deployment.runClient(command, '--workflow-id', handle.workflowId, ...options);

  const watch = await client('watch', redelivered, '--timeout', '2s');
  expect(watch).toMatchObject({ code: 4 });
  expect(watch.stdout).toContain(`delivering, attempt 1; ${unpause(redelivered.target)}\n`);

  const redeliver = await client('redeliver', redelivered, '--sink', 'files', '--timeout', '2s');
  expect(redeliver).toMatchObject({ code: 4 });
  expect(redeliver.stderr).toContain(`note: ${unpause(redelivered.target)}\n`);
  await runTemporal('activity', 'unpause', ...redelivered.target);
  expect((await endingOf(redelivered.handle)).receipt).toMatchObject({ sink: 'files', alsoTried: ['slow'] });

  const cancel = await client('cancel', cancelled);
  expect(cancel).toMatchObject({ code: 0, stderr: `note: ${unpause(cancelled.target)}\n` });
  await runTemporal('activity', 'unpause', ...cancelled.target);
  expect(await endingOf(cancelled.handle)).toMatchObject({ type: 'Cancelled' });
});
