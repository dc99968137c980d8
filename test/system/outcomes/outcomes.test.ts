import { newAccount, organizationsOf, type AtlasAccount, type CredentialType } from '../../support/atlas';
import { endingOf } from '../../support/ending';
import { deploy, startAtlas, type Installation } from '../../support/installation';
import { ENVELOPED, HANGING, ROWS, type Row } from './rows';

/** An organization for each credential that a test needs; the faults of one test stop no other's requests. */
const accounts: Record<CredentialType | '429' | '503', AtlasAccount> = {
  serviceAccount: newAccount(),
  apiKey: newAccount(),
  429: newAccount(),
  503: newAccount(),
};

/** @param settings of section `atlas`. */
async function start(settings: object = {}): Promise<Installation> {
  const { serviceAccount, ...others } = accounts;
  const atlas = await startAtlas({ account: serviceAccount, others: Object.values(others) });
  const credentials = Object.entries(others).map(([name, account]) => {
    return { account, type: name === 'apiKey' ? ('apiKey' as const) : ('serviceAccount' as const) };
  });
  const organizations = organizationsOf(atlas, credentials, ['files']);
  const config = { atlas: { ...organizations.atlas, ...settings } };
  const deployment = await deploy({ atlas, config, env: organizations.env });
  return { atlas, deployment, worker: await deployment.startWorker() };
}

/** One run as Atlas saw it, and its ending. */
async function run(
  { faults, expire }: Pick<Row, 'faults' | 'expire'>,
  { atlas, deployment }: Installation,
  { orgId }: AtlasAccount,
) {
  const startRun = () => deployment.start(deployment.newRequest({ orgId }));
  atlas.clearFaults();
  if (expire) {
    // So that there is something to expire.
    await endingOf(await startRun());
    atlas.expire(expire);
  }
  atlas.faults(faults);
  const before = { posts: atlas.posts().length, tokens: atlas.createdTokens().length };
  const { type, unconfirmedTokens, message } = await endingOf(await startRun());
  const requests = atlas.posts().slice(before.posts);
  const tokens = atlas.createdTokens().length - before.tokens;
  return {
    seen: { type, posts: requests.length, unconfirmedTokens, tokens },
    message,
    requestTimes: requests.map(({ startedAt }) => Date.parse(startedAt)),
  };
}

/** Without settings of its own. */
let usual: Installation;
beforeAll(async () => {
  usual = await start();
});

const inAnEnvelope = { envelope: true, pretty: true };

describe.each<[where: string, settings: object | null, rows: [CredentialType, Row[]][]]>([
  ['', null, Object.entries(ROWS) as [CredentialType, Row[]][]],
  [' in an envelope', inAnEnvelope, Object.entries(ENVELOPED) as [CredentialType, Row[]][]],
  [' that Atlas never responds to', { requestTimeoutMs: 2000 }, [['serviceAccount', HANGING]]],
])('the outcome of a link-token request%s', (_where, settings, rows) => {
  let installation: Installation;
  beforeAll(async () => {
    installation = settings ? await start(settings) : usual;
  });

  const cases = rows.flatMap(([credential, ofCredential]) =>
    ofCredential.map((row) => ({ credential, ...row })),
  );
  it.each(cases)(
    'by $credential: $what: $type, $posts request(s), $unconfirmedTokens unconfirmed',
    async ({ credential, ...row }) => {
      const { type, posts, unconfirmedTokens, tokens } = row;
      const { seen } = await run(row, installation, accounts[credential]);
      expect(seen).toEqual({ type, posts, unconfirmedTokens, tokens });
    },
  );
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
  ] as const)(
    'of %i: no second request before its time; past the deadline AtlasUnavailable at once, with the reason',
    async (status, unconfirmedTokens) => {
      // It stops the requests of the credential.
      const account = accounts[status];
      const withRetryAfter = (seconds: string) =>
        run({ faults: [{ on: 'linkTokens', status, headers: { 'Retry-After': seconds } }] }, usual, account);
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
