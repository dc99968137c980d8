import {
  startAtlasEmulator,
  type AtlasEmulator,
  type SeedInput,
} from '../../../dev/atlas-emulator';
import { closeLater } from '../../support/clean-up';
import { makeSink, newDelivery, sinkError, type Env } from '../../support/sinks';
import { startTcpProxy } from '../../support/tcp-proxy';
import { testContract, testRun } from './contract';

const PRIVATE_KEY = 'canary-0000-private-key';
const sourceOrgIds = new Set<string>();
let emulator: AtlasEmulator;

/**
 * Seeds the Atlas emulator, as Cloud Manager, with a key of its own for each source organization.
 */
function seed(settings: SeedInput['settings'] = {}, key: object = {}): void {
  const ids = [...sourceOrgIds];
  emulator.seed({
    sourceOrganizations: ids.map((id) => ({ id, name: 'Source' })),
    apiKeys: ids.map((orgId) => ({
      publicKey: `key${orgId}`,
      privateKey: PRIVATE_KEY,
      orgId,
      ...key,
    })),
    serviceAccounts: [],
    settings: { acceptUnknownLinkTokens: true, pollsBeforeSynced: 1, ...settings },
  });
}

const fixture = testContract('cloudManager', async () => {
  emulator = closeLater(await startAtlasEmulator());
  const proxy = await startTcpProxy(new URL(emulator.url).host);
  const baseUrl = `http://${proxy.address}`;
  const env: Env = { PRIVATE_KEY };
  return {
    keepsFormer: false,
    configFor({ orgId, sourceOrgId }) {
      const id = String(sourceOrgId);
      env[`PUBLIC_KEY_${id}`] = `key${id}`;
      if (!sourceOrgIds.has(id)) {
        sourceOrgIds.add(id);
        seed();
      }
      return {
        type: 'cloudManager',
        baseUrl,
        allowHttp: true,
        sources: {
          [id]: {
            orgId,
            publicKey: { env: `PUBLIC_KEY_${id}` },
            privateKey: { env: 'PRIVATE_KEY' },
          },
        },
        pollIntervalMs: 100,
      };
    },
    env,
    canaries: [PRIVATE_KEY],
    locationOf: ({ sourceOrgId }) =>
      `Cloud Manager at ${baseUrl}, organization ${sourceOrgId}: connected to Atlas (SYNCED)`,
    held: ({ sourceOrgId }) =>
      emulator
        .state()
        .migrationLinks.filter((link) => link.sourceOrgId === sourceOrgId)
        .map(({ linkToken }) => linkToken),
    refuse: () => seed({ acceptUnknownLinkTokens: false }),
    proxy,
    write: /^POST [^]*authorization: Digest/i,
  };
});
testRun('cloudManager');

/** Creates a token of a source organization of its own, and a sink for it. */
async function cloudManager(overrides: object = {}) {
  const delivery = newDelivery();
  const sink = await makeSink({ ...fixture().configFor(delivery), ...overrides }, fixture().env);
  return {
    delivery,
    deliver: () => sink.deliver(delivery),
    requests: () =>
      emulator.requests().filter(({ path }) => path.includes(String(delivery.sourceOrgId))),
  };
}

it.each([
  ['until the link is synced', 3, 4],
  ['not at all when the first response says SYNCED', 0, 0],
])('polls %s', async (_when, pollsBeforeSynced, polls) => {
  const { deliver, requests } = await cloudManager();
  seed({ pollsBeforeSynced });
  await deliver();
  expect(requests().filter(({ on }) => on === 'migrationLinkStatus')).toHaveLength(polls);
});

it('is unavailable if the link is not synced in time; a later attempt completes it', async () => {
  const { delivery, deliver } = await cloudManager({ syncTimeoutMs: 250 });
  const later = await makeSink(fixture().configFor(delivery), fixture().env);
  seed({ syncDelayMs: 3_600_000 });
  const message = 'but did not report SYNCED within 250 ms: check Live Migration';
  await expect(deliver()).rejects.toMatchObject(sinkError('Unavailable', message));
  seed();
  await later.deliver(delivery);
  const links = emulator.state().migrationLinks;
  expect(links).toContainEqual(
    expect.objectContaining({ linkToken: delivery.linkToken, posts: 2 }),
  );
});

const UNKNOWN_TOKEN = () => seed({ acceptUnknownLinkTokens: false });
const OTHER_SERVER = () => emulator.faults({ on: 'migrationLink', status: 200, html: true });

it.each<[string, () => void, RegExp]>([
  ['a wrong key', () => seed({}, { privateKey: 'other' }), / 401: it does not accept the API/],
  [
    'a key without the role',
    () => seed({}, { roles: ['ORG_MEMBER'] }),
    / 40[13]: .*Organization Owner/,
  ],
  ['a link-token it does not know', UNKNOWN_TOKEN, / 400: it does not accept the link-token/],
  ['a server that is not Cloud Manager', OTHER_SERVER, /without a link status/],
])('rejects %s', async (_what, arrange, message) => {
  const { deliver } = await cloudManager();
  arrange();
  await expect(deliver()).rejects.toMatchObject(sinkError('Rejected', message));
});

it('does not blame the link-token for a 400 to the request for the status', async () => {
  const { deliver } = await cloudManager();
  emulator.faults({ on: 'migrationLinkStatus', status: 400 });
  await expect(deliver()).rejects.toMatchObject(
    sinkError('Rejected', /status responded with 400: it rejected the request; see its log$/),
  );
});

it('keeps the path of an Ops Manager behind a proxy', async () => {
  const { delivery, deliver, requests } = await cloudManager({ baseUrl: `${emulator.url}/ops/` });
  await expect(deliver()).rejects.toThrow(
    /404: there is no such organization: .*, or cancel the run, then start with another sourceOrgId$/,
  );
  expect(requests().map(({ path }) => path)).toEqual([
    `/ops/api/public/v1.0/orgs/${delivery.sourceOrgId}/liveExport/migrationLink`,
  ]);
});
