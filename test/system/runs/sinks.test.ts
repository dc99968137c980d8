import type { Delivery } from '../../../src/sinks/sink';
import { newDelivery } from '../../support/sinks/delivery';
import type { Fixture } from '../../support/sinks/fixture';
import { SINK_TYPE_NAMES, startFixture } from '../../support/sinks/fixtures';
import type { TestAtlas } from '../../support/atlas';
import type { Deployment } from '../../support/deployment';
import { endingOf, pendingActivity } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { findSecrets, textPlace } from '../../support/secrecy';
import { deploy, sharedTemporal, startAtlas } from '../../support/setting';

describe.each(SINK_TYPE_NAMES)('a worker with a sink of type %s', (type) => {
  let fixture: Fixture;
  let atlas: TestAtlas;
  let deployment: Deployment;
  /** The organizations of every run: only their tokens differ. */
  let organizations: Delivery;

  beforeAll(async () => {
    fixture = await startFixture(type);
    atlas = await startAtlas();
    organizations = newDelivery({ orgId: atlas.account.orgId });
    const sink = fixture.configFor(organizations);
    const env = { ...awsEnv(), ...fixture.env };
    deployment = await deploy({ atlas, config: { sinks: { store: sink } }, env });
    await deployment.startWorker();
  });
  afterAll(() => fixture.stop());

  const startRun = () => {
    const { orgId, sourceOrgId } = organizations;
    return deployment.start(deployment.newRequest({ orgId, sourceOrgId, sink: 'store' }));
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
    const { client } = await sharedTemporal();
    await eventually('a failed delivery', async () => {
      const pending = await pendingActivity(client, handle.workflowId);
      return pending?.type === 'deliverLinkToken' && pending.lastFailure !== null;
    });
    await fixture.recover();
    expect((await endingOf(handle)).type).toBe('delivered');
    expect(await fixture.held(organizations)).toContain(newestToken());
  });

  it('shows no token and no credential of the store in its log or in history', async () => {
    const { client } = await sharedTemporal();
    const places = deployment.workers.map((worker) => textPlace('the log', worker.output()));
    for await (const { workflowId, runId } of client.workflow.list({
      query: `TaskQueue = '${deployment.taskQueue}'`,
    })) {
      const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      places.push(textPlace(`the history of ${runId}`, JSON.stringify(events)));
    }
    const secrets = [...fixture.canaries, ...atlas.createdTokens().map(({ linkToken }) => linkToken)];
    expect(places.length).toBeGreaterThan(2);
    expect(findSecrets(places, new Map(secrets.map((secret, index) => [`secret ${index}`, secret])))).toEqual(
      [],
    );
  });
});

/** Credentials for the AWS SDK's default chain; the fixture sets them in this process. */
function awsEnv(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      name.startsWith('AWS_') && value ? [[name, value]] : [],
    ),
  );
}
