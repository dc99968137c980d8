import { MAX_LINK_TOKEN_BYTES } from '../../../src/contract/limits';
import { statusQuery } from '../../../src/contract/workflows';
import { eventually } from '../../support/eventually';
import { endingOf, eventsBesideTasks, untilStep } from '../../support/runs';
import { sharedTemporal, temporalCli } from '../../support/temporal';
import { system } from './shared-system';

const on = 'linkTokens';
const NEVER_MS = 600_000;

/** `test/unit/atlas/failures.test.ts` tests every status, `test/workflow` what follows. */
it('a run counts each response after which a token may exist', async () => {
  const { atlas, installation } = system();
  atlas.faults([
    { on: 'oauth', status: 503, html: true },
    { on, status: 429 },
    { on, status: 500 },
    { on, reset: 'mid-body' },
    { on, status: 503, html: true },
    { on, delayMs: NEVER_MS, afterCreating: true },
    { on, status: 201, body: { linkToken: 't'.repeat(MAX_LINK_TOKEN_BYTES) } },
  ]);
  const request = installation.newRequest();
  const ending = await endingOf(await installation.start(request));
  expect(ending).toMatchObject({ type: 'TokenLost', unconfirmedTokens: 5 });
  expect(atlas.created(request)).toBe(2);
});

it('a clean run has twelve events besides workflow tasks, and its memo names its token', async () => {
  const handle = await system().installation.start();
  expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  expect(await eventsBesideTasks(handle)).toHaveLength(12);
  const { deliveryId, publicApiKey, sink } = await handle.result();
  expect((await handle.describe()).memo).toEqual({ deliveryId, publicApiKey, sink });
});

it("Temporal's own command line delivers an undelivered token", async () => {
  const { installation } = system();
  const handle = await installation.start(installation.newRequest({ sink: 'rejects' }));
  await untilStep(handle, 'undelivered');
  const { address } = await sharedTemporal();
  const update = [
    'workflow',
    'update',
    'execute',
    '--name',
    'redeliver',
    '--input',
    '{"sink": "files"}',
  ];
  const { code, stdout } = await temporalCli(
    address,
    ...update,
    '--workflow-id',
    handle.workflowId,
  );
  expect([code, stdout]).toEqual([0, expect.stringContaining('alsoTried')]);
  expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'files' } });
});

/** `test/unit/activities` and `test/system/sinks` test that the attempt then stops. */
it('the response to a heartbeat brings a cancel to an attempt that hangs', async () => {
  const { installation, hangingResponses } = system();
  const handle = await installation.start(installation.newRequest({ sink: 'hangs' }));
  await eventually('an attempt', () => hangingResponses.length > 0);
  await handle.cancel();
  expect(await endingOf(handle)).toMatchObject({ type: 'CANCELLED' });
  const { description } = await handle.query(statusQuery);
  expect(description).toContain('it may be in sink hangs');
  // An attempt without heartbeats would time out instead.
  const { events } = await handle.fetchHistory();
  expect(events?.some((event) => event.activityTaskCanceledEventAttributes)).toBe(true);
});
