import type { CredentialType } from '../../support/atlas';
import { endingOf } from '../../support/ending';
import { startSetting, type Setting } from '../../support/setting';
import { ENVELOPED, HANGING, ROWS, type Row } from './rows';

/** @param atlas settings of section `atlas`. */
const start = (credential: CredentialType, atlas: object = {}) =>
  startSetting({ credential, config: { atlas } });

/** What Atlas saw of one run, and how the run ended. */
async function run({ faults, expire }: Pick<Row, 'faults' | 'expire'>, { atlas, deployment }: Setting) {
  atlas.clearFaults();
  if (expire) {
    // So that there is something to expire.
    await endingOf(await deployment.start());
    atlas.expire(expire);
  }
  atlas.faults(faults);
  const before = { posts: atlas.posts().length, tokens: atlas.createdTokens().length };
  const { type, unconfirmedTokens, message } = await endingOf(await deployment.start());
  const requests = atlas.posts().slice(before.posts);
  const tokens = atlas.createdTokens().length - before.tokens;
  return {
    seen: { type, posts: requests.length, unconfirmedTokens, tokens },
    message,
    requestTimes: requests.map(({ startedAt }) => Date.parse(startedAt)),
  };
}

const inEnvelope = { envelope: true, pretty: true };

describe.each<[how: string, rows: Row[], start: () => Promise<Setting>]>([
  ['as a service account', ROWS.serviceAccount, () => start('serviceAccount')],
  ['as an API key', ROWS.apiKey, () => start('apiKey')],
  ['in an envelope', ENVELOPED.serviceAccount, () => start('serviceAccount', inEnvelope)],
  ['as an API key, in an envelope', ENVELOPED.apiKey, () => start('apiKey', inEnvelope)],
  ['that Atlas never responds to', HANGING, () => start('serviceAccount', { requestTimeoutMs: 2000 })],
])('the outcome of a link-token request %s', (_how, rows, startSettingOf) => {
  let setting: Setting;
  beforeAll(async () => {
    setting = await startSettingOf();
  });
  afterAll(() => setting.worker.stop());

  it.each(rows)('$what: $type, $posts request(s), $unconfirmedTokens unconfirmed', async (row) => {
    const { type, posts, unconfirmedTokens, tokens } = row;
    const { seen } = await run(row, setting);
    expect(seen).toEqual({ type, posts, unconfirmedTokens, tokens });
  });
});

it('the rows in an envelope have one of each class', () => {
  expect(new Set(ENVELOPED.serviceAccount.map(({ type }) => type))).toEqual(
    new Set(['delivered', 'AtlasResponseInvalid', 'AtlasRequestRejected']),
  );
});

describe('a Retry-After', () => {
  it.each([
    [429, 0],
    [503, 1],
  ])(
    'of %i: no second request before its time; past the deadline AtlasUnavailable at once, with the reason',
    async (status, unconfirmedTokens) => {
      // Of its own: it stops the requests of the credential.
      const setting = await start('serviceAccount');
      const withRetryAfter = (seconds: string) =>
        run({ faults: [{ on: 'linkTokens', status, headers: { 'Retry-After': seconds } }] }, setting);
      const { seen, requestTimes } = await withRetryAfter('1');
      expect(seen).toEqual({ type: 'delivered', unconfirmedTokens, posts: 2, tokens: 1 });
      const [first = 0, second = 0] = requestTimes;
      expect(second - first).toBeGreaterThanOrEqual(1000);

      const late = await withRetryAfter('7200');
      expect(late.seen).toEqual({ type: 'AtlasUnavailable', unconfirmedTokens, posts: 1, tokens: 0 });
      expect(late.message).toMatch(
        new RegExp(`^gave up: the retry deadline .*; last error: Atlas returned ${status}`),
      );
    },
  );
});
