import type { Fault } from '../../../dev/atlas-emulator';
import type { CredentialType, TestAtlas } from '../../support/atlas';
import type { Deployment } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { deploy, startAtlas } from '../../support/setting';
import { REQUEST_TIMEOUT_MS, envelopedRowsFor, rowsFor, type Row } from './rows';

const NAME = '$what: $type, $posts request(s), $unconfirmedTokens unconfirmed';

/** Every row through a real HTTP server and a real workflow. A file for each credential, so that they run side by side. */
export function describeOutcomes(credential: CredentialType): void {
  let plain: Scene;
  let enveloped: Scene;

  beforeAll(async () => {
    [plain, enveloped] = await Promise.all([
      setScene(credential, {}),
      setScene(credential, { envelope: true, pretty: true }),
    ]);
  }, 60_000);

  it.each(rowsFor(credential))(NAME, async (row) => {
    const { seen } = await run(row, plain);
    expect(seen).toEqual(expectedOf(row));
  });

  it.each(envelopedRowsFor(credential))(`in an envelope, ${NAME}`, async (row) => {
    const { seen } = await run(row, enveloped);
    expect(seen).toEqual(expectedOf(row));
  });

  it.each([
    [429, 0],
    [503, 1],
  ])('%i with Retry-After: no second request before its time', async (status, unconfirmedTokens) => {
    const faults: Fault[] = [{ on: 'linkTokens', status, headers: { 'Retry-After': '2' } }];
    const { seen, requestTimes } = await run({ faults }, plain);
    expect(seen).toEqual({ type: 'delivered', unconfirmedTokens, posts: 2, tokens: 1 });
    const [first = 0, second = 0] = requestTimes;
    expect(second - first).toBeGreaterThanOrEqual(2000);
  });

  it('429 with a Retry-After beyond the give-up time: AtlasUnavailable at once', async () => {
    const faults: Fault[] = [{ on: 'linkTokens', status: 429, headers: { 'Retry-After': '7200' } }];
    const { seen, message } = await run({ faults }, plain);
    expect(seen).toEqual({ type: 'AtlasUnavailable', unconfirmedTokens: 0, posts: 1, tokens: 0 });
    expect(message).toMatch(/Atlas answered 429 .*; given up after 1 attempt.*after the give-up time/);
  });
}

interface Scene {
  atlas: TestAtlas;
  deployment: Deployment;
}

async function setScene(credential: CredentialType, settings: object): Promise<Scene> {
  const atlas = await startAtlas();
  const config = { atlas: { requestTimeoutMs: REQUEST_TIMEOUT_MS, ...settings } };
  const deployment = await deploy({ atlas, credential, config });
  await deployment.startWorker();
  return { atlas, deployment };
}

/** What Atlas saw of one run, and how the run ended. */
async function run(row: Pick<Row, 'faults' | 'expire'>, { atlas, deployment }: Scene) {
  atlas.clearFaults();
  if (row.expire) {
    // So that there is something to expire.
    await endingOf(await deployment.start());
    atlas.expire(row.expire);
  }
  atlas.faults(row.faults);
  const before = { posts: atlas.posts().length, tokens: atlas.createdTokens().length };
  const { type, unconfirmedTokens, message } = await endingOf(await deployment.start());
  const requests = atlas.posts().slice(before.posts);
  const tokens = atlas.createdTokens().length - before.tokens;
  return {
    seen: { type, unconfirmedTokens, posts: requests.length, tokens },
    message,
    requestTimes: requests.map(({ startedAt }) => Date.parse(startedAt)),
  };
}

function expectedOf({ type, unconfirmedTokens, posts, tokens }: Row) {
  return { type, unconfirmedTokens, posts, tokens };
}
