import { describeRows, run, setScene, type Scene } from './describe-outcomes';
import { HANGING, ROWS } from './rows';

jest.setTimeout(60_000);

let plain: Scene;
let enveloped: Scene;
let impatient: Scene;

beforeAll(async () => {
  [plain, enveloped, impatient] = await Promise.all([
    setScene('serviceAccount'),
    setScene('serviceAccount', { envelope: true, pretty: true }),
    setScene('serviceAccount', { requestTimeoutMs: 2000 }),
  ]);
});

describe('the outcome of a link-token request as a service account', () => {
  describeRows(ROWS.serviceAccount, () => plain);
});

describe('the outcome in an envelope', () => {
  const rows = ROWS.serviceAccount.filter((row) => row.enveloped);

  it('has a row of each class', () => {
    expect(new Set(rows.map(({ type }) => type))).toEqual(
      new Set(['delivered', 'AtlasResponseInvalid', 'AtlasRequestRejected']),
    );
  });

  describeRows(rows, () => enveloped);
});

describe('the outcome of a request that Atlas never responds to', () => {
  describeRows(HANGING, () => impatient);
});

describe('a Retry-After', () => {
  const withRetryAfter = (status: number, seconds: string) =>
    run({ faults: [{ on: 'linkTokens', status, headers: { 'Retry-After': seconds } }] }, plain);

  it.each([
    [429, 0],
    [503, 1],
  ])('of %i: no second request before its time', async (status, unconfirmedTokens) => {
    const { seen, requestTimes } = await withRetryAfter(status, '1');
    expect(seen).toEqual({ type: 'delivered', unconfirmedTokens, posts: 2, tokens: 1 });
    const [first = 0, second = 0] = requestTimes;
    expect(second - first).toBeGreaterThanOrEqual(1000);
  });

  it.each([
    [429, 0],
    [503, 1],
  ])(
    'of %i past the deadline: AtlasUnavailable at once, with the reason',
    async (status, unconfirmedTokens) => {
      const { seen, message } = await withRetryAfter(status, '7200');
      expect(seen).toEqual({ type: 'AtlasUnavailable', unconfirmedTokens, posts: 1, tokens: 0 });
      expect(message).toMatch(
        new RegExp(`^gave up: the retry deadline .*; last error: Atlas returned ${status}`),
      );
    },
  );
});
