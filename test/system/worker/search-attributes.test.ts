import { startDevServer } from '../../../dev/temporal/dev-server';
import { freePort } from '../../../dev/temporal/free-port';
import { startAtlas } from '../../support/atlas';
import { closeLater } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { FILE_SINKS, install, type Handle } from '../../support/installation';
import { end, redeliver, untilStep } from '../../support/runs';
import { untilScraped } from '../../support/scrape';
import { setUp } from '../../support/set-up';
import { temporalCli } from '../../support/temporal';

/** A server whose namespace has no search attributes yet. */
const fixture = setUp(async () => {
  const server = await startDevServer();
  const temporal = closeLater({ ...server, close: () => server.stop() });
  const atlas = await startAtlas();
  const port = await freePort();
  const config = { sinks: FILE_SINKS, searchAttributes: true, metrics: { port } };
  const installation = await install({ atlas, temporal, config });
  return { atlas, temporal, installation, port };
});

async function untilListed(query: string, ...handles: Handle[]): Promise<void> {
  const { client } = fixture().temporal;
  const expected = handles.map(({ workflowId }) => workflowId).sort();
  await eventually(`runs with ${query}`, async () => {
    const listed: string[] = [];
    for await (const { workflowId } of client.workflow.list({ query })) listed.push(workflowId);
    return JSON.stringify(listed.sort()) === JSON.stringify(expected);
  });
}

it('a worker starts once its own message has been followed', async () => {
  const { temporal, installation } = fixture();
  const refused = installation.spawnWorker();
  expect((await refused.exited).code).toBe(1);
  const [, command = ''] = /create them with: temporal (.*?) \(/.exec(refused.output()) ?? [];
  expect(await temporalCli(temporal.address, ...command.split(' '))).toMatchObject({ code: 0 });
  await installation.startWorker();
});

it('runs that need a person are found by attribute, and clean runs have none', async () => {
  const { atlas, installation } = fixture();
  const toReject = () => installation.newRequest({ sink: 'rejects' });
  const clean = await installation.start();
  await clean.result();
  const [redelivered, revoked, left] = [
    await installation.start(toReject()),
    await installation.start(toReject()),
    await installation.start(toReject()),
  ];
  await untilListed("LinkTokenState = 'undelivered'", redelivered, revoked, left);

  expect(await redeliver(redelivered, { sink: 'files' })).toMatchObject({ type: 'delivered' });
  await end(revoked, 'cancel');
  atlas.faults({ on: 'deleteApiKey', times: 1, status: 403 });
  await end(left, 'cancel');
  await untilListed("LinkTokenState = 'undelivered'");
  await untilListed("LinkTokenState = 'abandoned'", left);

  atlas.faults({ on: 'linkTokens', times: 1, status: 503 });
  const unconfirmed = await installation.start();
  await unconfirmed.result();
  await untilListed('LinkTokensUnconfirmed > 0', unconfirmed);
  const events = (await clean.fetchHistory()).events ?? [];
  expect(events.filter((event) => event.upsertWorkflowSearchAttributesEventAttributes)).toEqual([]);
});

it('a run waits for an attribute that was removed, and goes on once it is there again', async () => {
  const { temporal, installation, port } = fixture();
  const operate = (...args: string[]) =>
    temporalCli(temporal.address, 'operator', 'search-attribute', ...args);
  await operate('remove', '--name', 'LinkTokenState', '--yes');
  const handle = await installation.start(installation.newRequest({ sink: 'rejects' }));
  await eventually('a workflow task that fails', async () => {
    const { events = [] } = await handle.fetchHistory();
    return events?.some(
      ({ workflowTaskFailedEventAttributes: failed }) =>
        failed?.failure?.message?.includes('LinkTokenState') ?? false,
    );
  });
  // The alert LinkTokenWorkflowTaskFails watches this.
  await untilScraped(port, 'temporal_request_failure_total', {
    operation: 'RespondWorkflowTaskCompleted',
    status_code: 'INVALID_ARGUMENT',
  });
  await operate('create', '--name', 'LinkTokenState', '--type', 'Keyword');
  await untilStep(handle, 'undelivered');
  await untilListed("LinkTokenState = 'undelivered'", handle);
});
