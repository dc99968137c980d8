import type { Delivery } from '../../../src/sinks/sink';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, type Deployment } from '../../support/installation';
import { endingOf, untilDeliveryFails } from '../../support/runs';
import { findSecrets, textPlace } from '../../support/secrecy';
import { newDelivery } from '../../support/sinks/delivery';
import type { Fixture } from '../../support/sinks/fixture';
import { SINK_TYPE_NAMES, startFixture } from '../../support/sinks/fixtures';
import type { WorkerProcess } from '../../support/worker-process';

const fixtures = new Map<string, Fixture>();
let atlas: TestAtlas;
let deployment: Deployment;
let worker: WorkerProcess;
/** The organizations of every run: only their tokens differ. */
let organizations: Delivery;

beforeAll(async () => {
  atlas = await startAtlas();
  organizations = newDelivery({ orgId: atlas.account.orgId });
  const sinks: Record<string, object> = {};
  const env: Record<string, string> = {};
  await Promise.all(
    SINK_TYPE_NAMES.map(async (type) => {
      const fixture = await startFixture(type);
      fixtures.set(type, fixture);
      sinks[type] = fixture.configFor(organizations);
      Object.assign(env, fixture.env);
    }),
  );
  // For the default chain of the AWS SDK; the fixture sets them in this process.
  const aws = Object.entries(process.env as Record<string, string>).filter(([name]) =>
    name.startsWith('AWS_'),
  );
  deployment = await deploy({ atlas, config: { sinks }, env: { ...env, ...Object.fromEntries(aws) } });
  worker = await deployment.startWorker();
});

it.each(SINK_TYPE_NAMES)(
  'a run waits for a sink of type %s that is down, and delivers; log and history hold no token and no credential',
  async (type) => {
    const fixture = fixtures.get(type) as Fixture;
    const { orgId, sourceOrgId } = organizations;
    await fixture.breakDown();
    const request = deployment.newRequest({ orgId, sourceOrgId, sink: type, again: true });
    const handle = await deployment.start(request);
    await untilDeliveryFails(handle);
    await fixture.recover();
    const { receipt } = await endingOf(handle);
    const { deliveryId = '', location } = receipt ?? {};
    expect(location).toMatch(fixture.locationOf({ ...organizations, deliveryId }));
    expect((await fixture.held(organizations)).at(-1)).toBe(atlas.createdTokens().at(-1)?.linkToken);

    const { events } = await handle.fetchHistory();
    const { runId } = await handle.describe();
    const delivered = () => worker.logged('link-token delivered').map((line) => line['runId']);
    await eventually('the end of the log', () => delivered().includes(runId));
    const places = [textPlace('the log', worker.output()), textPlace('the history', JSON.stringify(events))];
    const secrets = [...fixture.canaries, ...atlas.createdTokens().map(({ linkToken }) => linkToken)];
    const named = new Map(secrets.map((secret, index) => [`secret ${index}`, secret]));
    expect(findSecrets(places, named)).toEqual([]);
  },
);
