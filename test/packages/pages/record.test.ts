import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import type { Handle } from '../../support/installation';
import { codeBlocks, page, sectionBelow } from '../../support/markdown';
import { endingOf, redeliver } from '../../support/runs';
import { createShell } from '../../support/shell';
import type { WorkerProcess } from '../../support/worker-process';

it('the logs name each token once, with its place, by the command of docs/production.md', async () => {
  const [command = ''] = codeBlocks(sectionBelow(page('docs/production.md'), 'Keep a record'), 'sh');
  const { deployment, sh } = await createShell();
  const [worker] = deployment.workers as [WorkerProcess];
  const accessListIps = Array.from({ length: 21 }, newAddress);
  const requests = ['files', 'blocked', 'blocked'].map((sink) =>
    deployment.newRequest({ sink, accessListIps, requestedBy: 'ada', changeReference: 'CHG-1' }),
  );
  for (const request of requests) await deployment.start(request);
  const [delivered, redelivered] = requests.map(deployment.handleOf) as [Handle, Handle];
  const first = await endingOf(delivered);
  await eventually('both failures', () => worker.logged('link-token not delivered').length === 2);
  await eventually('the delivery', () => worker.logged('link-token delivered').length === 1);
  await worker.kill();
  const survivor = await deployment.startWorker();
  const { receipt } = await redeliver(redelivered, { sink: 'files' });
  await eventually('its line', () => survivor.logged('link-token delivered').length === 1);

  const logged = { ...receipt, accessListIps: accessListIps.slice(0, 20) };
  expect(survivor.logged('link-token delivered')).toEqual([expect.objectContaining(logged)]);
  const { location, deliveredAt: _, alsoTried: __, ...created } = logged;
  const known = expect.objectContaining({ ...created, sink: 'blocked' }) as unknown;
  expect(worker.logged('link-token created')).toContainEqual(known);
  expect(worker.logged('link-token not delivered')).toContainEqual(known);

  // A kill can leave the first half of a line.
  const prepare = `cd ${deployment.folder}; printf '{"msg":"link-token' > worker-3.log;`;
  const found = await sh(prepare + command.replace('2026-11', '20'));
  const places = [first.receipt?.location, location, 'not delivered'];
  const rows = requests.map(({ orgId, sourceOrgId }, i) => [orgId, sourceOrgId, 'ada', 'CHG-1', places[i]]);
  expect(found.map(([, ...row]) => row).sort()).toEqual(rows.sort());
  expect(await sh(prepare + command.replace('2026-11', '1999-12'))).toEqual([['']]);
});
