import type { Delivery } from '../../../src/sinks/sink';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { deploy, type Deployment } from '../../support/installation';
import { endingOf, untilDeliveryFails } from '../../support/runs';
import { findSecrets, textPlace } from '../../support/secrecy';
import { newDelivery } from '../../support/sinks/delivery';
import type { Fixture } from '../../support/sinks/fixture';
import { SINK_TYPE_NAMES, startFixture } from '../../support/sinks/fixtures';
import { sharedTemporal, untilListed } from '../../support/temporal';

let fixtures: Record<string, Fixture>;
let atlas: TestAtlas;
let deployment: Deployment;
/** The organizations of every run: only their tokens differ. */
let organizations: Delivery;

beforeAll(async () => {
  const started = SINK_TYPE_NAMES.map(async (type) => {
    return [type, await startFixture(type)] as const;
  });
  fixtures = Object.fromEntries(await Promise.all(started));
  atlas = await startAtlas();
  organizations = newDelivery({ orgId: atlas.account.orgId });
  const sinks = Object.entries(fixtures).map(
    ([type, fixture]) => [type, fixture.configFor(organizations)] as const,
  );
  const envs = Object.values(fixtures).map(({ env }) => env);
  deployment = await deploy({
    atlas,
    config: { sinks: Object.fromEntries(sinks) },
    env: Object.assign(awsEnv(), ...envs) as Record<string, string>,
  });
  await deployment.startWorker();
});

describe.each(SINK_TYPE_NAMES)('a worker with a sink of type %s', (type) => {
  let fixture: Fixture;

  beforeAll(() => {
    fixture = fixtures[type] as Fixture;
  });

  const startRun = () => {
    const { orgId, sourceOrgId } = organizations;
    return deployment.start(deployment.newRequest({ orgId, sourceOrgId, sink: type, again: true }));
  };

  const newestToken = () => atlas.createdTokens().at(-1)?.linkToken;

  it('delivers the token', async () => {
    const { receipt } = await endingOf(await startRun());
    const { deliveryId = '', location } = receipt ?? {};
    expect(location).toMatch(fixture.locationOf({ ...organizations, deliveryId }));
    expect((await fixture.held(organizations)).at(-1)).toBe(newestToken());
  });

  it('waits for the store, and delivers the same token when it is back', async () => {
    await fixture.breakDown();
    const handle = await startRun();
    await untilDeliveryFails(handle);
    await fixture.recover();
    expect((await endingOf(handle)).type).toBe('delivered');
    expect(await fixture.held(organizations)).toContain(newestToken());
  });
});

it('no token and no credential of a store is in the log or in a history', async () => {
  const { client } = await sharedTemporal();
  const query = `TaskQueue = '${deployment.taskQueue}'`;
  const runs = 2 * SINK_TYPE_NAMES.length;
  await untilListed(query, runs);
  const places = deployment.workers.map((worker) => textPlace('the log', worker.output()));
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    places.push(textPlace(`the history of ${runId}`, JSON.stringify(events)));
  }
  const canaries = Object.values(fixtures).flatMap((fixture) => fixture.canaries);
  const secrets = [...canaries, ...atlas.createdTokens().map(({ linkToken }) => linkToken)];
  expect(places).toHaveLength(1 + runs);
  const named = new Map(secrets.map((secret, index) => [`secret ${index}`, secret]));
  expect(findSecrets(places, named)).toEqual([]);
});

/** Credentials for the AWS SDK's default chain; the fixture sets them in this process. */
function awsEnv(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      name.startsWith('AWS_') && value ? [[name, value]] : [],
    ),
  );
}
