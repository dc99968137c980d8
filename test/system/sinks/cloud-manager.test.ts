import { startAtlasEmulator, type AtlasEmulator, type SeedInput } from '../../../dev/atlas-emulator';
import { newOrgId } from '../../support/ids';
import { newDelivery } from '../../support/sinks/delivery';
import { cloudManagerFixture } from '../../support/sinks/fixtures/cloud-manager';
import { makeDelivering } from '../../support/sinks/make-sink';
import { testContract } from './contract';

testContract(cloudManagerFixture);

const PRIVATE_KEY = 'canary-private-key';
const sourceOrgId = newOrgId();
let emulator: AtlasEmulator;

beforeEach(async () => {
  emulator = await startAtlasEmulator();
  seed();
});
afterEach(() => emulator.close());

function seed(settings: SeedInput['settings'] = {}, key: object = {}): void {
  const apiKey = { publicKey: 'source', privateKey: PRIVATE_KEY, orgId: sourceOrgId };
  emulator.seed({
    sourceOrganizations: [{ id: sourceOrgId, name: 'Source' }],
    apiKeys: [{ ...apiKey, ...key }],
    serviceAccounts: [],
    settings: { acceptUnknownLinkTokens: true, ...settings },
  });
}

function cloudManager(overrides: object = {}) {
  const config = {
    type: 'cloudManager',
    baseUrl: emulator.url,
    allowHttp: true,
    pollIntervalMs: 100,
    publicKey: { env: 'PUBLIC_KEY' },
    privateKey: { env: 'PRIVATE_KEY' },
  };
  return makeDelivering({ ...config, ...overrides }, { PUBLIC_KEY: 'source', PRIVATE_KEY });
}

const delivery = () => newDelivery({ sourceOrgId });

it.each([
  ['until the link is synced', { pollsBeforeSynced: 3 }, 4],
  ['not at all when the first response says SYNCED', {}, 0],
])('polls %s', async (_when, settings, polls) => {
  seed(settings);
  const deliver = await cloudManager();
  expect(await deliver(delivery())).toMatch(/organization [0-9a-f]{24}: connected to Atlas \(SYNCED\)$/);
  expect(emulator.requestsOn('migrationLinkStatus')).toHaveLength(polls);
});

it('is unavailable when the link is not synced in time, and a later attempt completes it', async () => {
  seed({ syncDelayMs: 3_600_000 });
  const deliver = await cloudManager({ syncTimeoutMs: 250 });
  const once = delivery();
  await expect(deliver(once)).rejects.toMatchObject({
    name: 'SinkUnavailableError',
    message: expect.stringContaining('but did not report SYNCED within 250 ms: check Live Migration'),
  });
  seed();
  await deliver(once);
  expect(emulator.state().migrationLinks).toMatchObject([{ linkToken: once.token, posts: 2 }]);
});

it.each<[string, () => void, RegExp]>([
  ['a wrong key', () => seed({}, { privateKey: 'other' }), /responded with 401: it does not accept the API/],
  [
    'a key without the role',
    () => seed({}, { roles: ['ORG_MEMBER'] }),
    /responded with 40[13]: .*Organization Owner/,
  ],
  [
    'a link-token it does not know',
    () => seed({ acceptUnknownLinkTokens: false }),
    /responded with 400: it does not accept the link-token/,
  ],
  [
    'what is not Cloud Manager',
    () => emulator.faults({ on: 'migrationLink', status: 200, html: true }),
    /without the status of the link/,
  ],
])('rejects %s', async (_what, arrange, message) => {
  arrange();
  const failing = (await cloudManager())(delivery());
  await expect(failing).rejects.toMatchObject({
    name: 'SinkRejectedError',
    message: expect.stringMatching(message),
  });
  await expect(failing).rejects.not.toThrow('canary');
});

it('keeps the path of an Ops Manager behind a proxy', async () => {
  const deliver = await cloudManager({ baseUrl: `${emulator.url}/ops/` });
  await expect(deliver(delivery())).rejects.toThrow(/responded with 404: there is no such organization/);
  expect(emulator.requests().map(({ path }) => path)).toEqual([
    `/ops/api/public/v1.0/orgs/${sourceOrgId}/liveExport/migrationLink`,
  ]);
});
