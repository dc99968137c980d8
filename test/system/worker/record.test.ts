import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { startInstallation } from '../../support/installation';
import { codeBlocks, page, sectionBelow } from '../../support/markdown';
import { runToEnd } from '../../support/run-command';
import { endingOf, redeliver } from '../../support/runs';

const [command = ''] = codeBlocks(sectionBelow(page('docs/production.md'), 'Keep a record'), 'sh');

it('the logs name each token once, with its place, by the command of docs/production.md', async () => {
  const { deployment, worker } = await startInstallation();
  const accessListIps = Array.from({ length: 21 }, newAddress);
  const [delivered, redelivered, undelivered] = ['files', 'rejects', 'rejects'].map((sink) =>
    deployment.newRequest({ sink, accessListIps, requestedBy: 'ada', changeReference: 'CHG-1' }),
  ) as [PrepareRequest, PrepareRequest, PrepareRequest];
  for (const request of [delivered, redelivered, undelivered]) await deployment.start(request);
  const first = await endingOf(deployment.handleOf(delivered));
  await eventually('both failures', () => worker.logged('link-token not delivered').length === 2);
  await worker.kill();
  const survivor = await deployment.startWorker();
  const { receipt } = await redeliver(deployment.handleOf(redelivered), { sink: 'files' });
  await eventually('its line', () => survivor.logged('link-token delivered').length === 1);

  const logged = { ...receipt, accessListIps: receipt?.accessListIps.slice(0, 20) };
  expect(survivor.logged('link-token delivered')).toEqual([expect.objectContaining(logged)]);
  const { location, deliveredAt, alsoTried, ...created } = logged;
  expect([location, deliveredAt, alsoTried]).toEqual([expect.any(String), expect.any(String), ['rejects']]);
  const known = expect.objectContaining({ ...created, sink: 'rejects' }) as unknown;
  expect(worker.logged('link-token created')).toContainEqual(known);
  expect(worker.logged('link-token not delivered')).toContainEqual(known);

  // A kill can leave the first half of a line.
  writeFileSync(path.join(deployment.folder, 'worker-3.log'), '{"msg":"link-token');
  const rowsOf = async (month: string) => {
    const shell = ['-c', command.replace('2026-11', month)];
    const { stdout } = await runToEnd('sh', shell, process.env, deployment.folder);
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((row) => row.split('\t').slice(1));
  };
  const rows = [
    [delivered, first.receipt?.location] as const,
    [redelivered, location] as const,
    [undelivered, 'not delivered'] as const,
  ].map(([{ orgId, sourceOrgId }, place]) => [orgId, sourceOrgId, 'ada', 'CHG-1', place]);
  expect((await rowsOf('20')).sort()).toEqual(rows.sort());
  expect(await rowsOf('1999-12')).toEqual([]);
});
