import {
  addRecord,
  joinKeys,
  type Attempt,
  type Known,
  type Token,
} from '../../../../src/commands/api-keys/join-keys';

const ids = { workflowId: 'live-migration-prep/x', runId: 'run' };
const token = (publicApiKey: string | null, more: Partial<Token> = {}): Token => ({
  state: 'delivered',
  deliveryId: `id of ${publicApiKey}`,
  publicApiKey,
  createdAt: '2026-11-25T09:00:00.500Z',
  sink: 'drop',
  ...ids,
  ...more,
});
const at = (seconds: number) => new Date(Date.UTC(2026, 10, 25, 9) + seconds * 1000).toISOString();
const attempt = (from: number, to: number | null, more: Partial<Attempt> = {}): Attempt => ({
  startedAt: at(from),
  endedAt: to === null ? null : at(to),
  reason: 'Atlas returned 503',
  ...ids,
  ...more,
});
const NOTHING: Known = { sinceMs: Infinity, tokens: [], attempts: [] };
/** A key that was made so many seconds after nine o'clock. */
const key = (publicKey: string, seconds = 0, desc = 'Atlas Migration Service Key - 0a1b2c3') => ({
  id: (Date.parse(at(seconds)) / 1000).toString(16) + '4f3c2b1a09876543',
  publicKey,
  desc,
});

describe('joinKeys', () => {
  const join = (keys: ReturnType<typeof key>[], known: Partial<Known>, now = 1e6) =>
    joinKeys(keys, { ...NOTHING, sinceMs: 0, ...known }, Date.parse(at(now)));
  const statesOf = (...args: Parameters<typeof join>) =>
    join(...args).matches.map(({ key: { publicKey }, state }) => [publicKey, state]);

  it('gives each key the token with its public key, whenever it was made', () => {
    const tokens = [token('a'), token('b', { state: 'open' }), token('c', { state: 'abandoned' })];
    const { matches, withoutKey } = join([key('c', 0), key('b', 9000), key('a', -9000)], {
      tokens,
      attempts: [attempt(0, 1)],
    });
    expect(matches.map(({ key: { publicKey }, ...match }) => [publicKey, match])).toEqual([
      ['a', { state: 'delivered', token: tokens[0], why: null, attempts: [] }],
      ['c', { state: 'abandoned', token: tokens[2], why: null, attempts: [] }],
      ['b', { state: 'open', token: tokens[1], why: null, attempts: [] }],
    ]);
    expect(withoutKey).toEqual([]);
  });

  it('takes the key of a token whatever its description, and leaves out every other', () => {
    const known = { tokens: [token('a')], attempts: [attempt(0, 1)] };
    const keys = [key('a', 0, 'renamed'), key('b', 0, 'billing'), key('c', 0, '')];
    expect(statesOf(keys, known)).toEqual([['a', 'delivered']]);
  });

  it.each([
    ['a minute before it', -60, true],
    ['earlier', -61, false],
    ['a minute after it', 70, true],
    ['later', 71, false],
  ])('a key made %s', (_when, seconds, isNear) => {
    const near = attempt(0, 10);
    const { matches } = join([key('x', seconds)], { attempts: [near] });
    expect(matches).toMatchObject([
      { state: 'orphan', token: null, attempts: isNear ? [near] : [] },
    ]);
  });

  it('calls no key an orphan that was made less than an hour ago', () => {
    const attempts = [attempt(0, 10)];
    expect(statesOf([key('x', 5)], { attempts }, 3604)).toEqual([['x', 'unknown']]);
    expect(statesOf([key('x', 5)], { attempts }, 3605)).toEqual([['x', 'orphan']]);
    expect(join([key('x')], {}, 1).matches[0]?.why).toBe('made less than an hour ago');
  });

  it('calls no key an orphan that was made before every token is known', () => {
    const known = { attempts: [attempt(-10, 10)], sinceMs: Date.parse(at(0)) };
    const { matches } = join([key('x', -1), key('y', 0)], known);
    const why = 'older than the retention period and than any --record';
    expect(matches).toMatchObject([
      { state: 'unknown', why },
      { state: 'orphan', why: null },
    ]);
  });

  it('calls no key an orphan that a request in progress may have made', () => {
    const attempts = [attempt(-5, -4), attempt(0, null)];
    const keys = [key('x', -61), key('y', -60), key('z', 90_000)];
    expect(statesOf(keys, { attempts })).toEqual([
      ['x', 'orphan'],
      ['y', 'unknown'],
      ['z', 'unknown'],
    ]);
  });

  it('calls no key an orphan that was made within an hour of a token without a known key', () => {
    const unreadable = token(null, { createdAt: at(0) });
    const known = { tokens: [token('a'), unreadable], attempts: [attempt(-9000, 9000)] };
    const keys = [-3601, -3600, 1, 3600, 3601].map((seconds) => key(`at ${seconds}`, seconds));
    expect(statesOf([...keys, key('a', 0)], known)).toEqual([
      ['at -3601', 'orphan'],
      ['at -3600', 'unknown'],
      ['a', 'delivered'],
      ['at 1', 'unknown'],
      ['at 3600', 'unknown'],
      ['at 3601', 'orphan'],
    ]);
    expect(join([key('x')], known).matches[0]?.why).toBe(
      'made near a token whose key is not known',
    );
    expect(join([], known).withoutKey).toEqual([unreadable]);
  });
});

describe('addRecord', () => {
  const add = (histories: Partial<Known>, record: Partial<Known>, runIds: string[] = ['run']) =>
    addRecord({ ...NOTHING, ...histories, runIds: new Set(runIds) }, { ...NOTHING, ...record });
  const of = (state: Token['state'], more: Partial<Token> = {}) => token('a', { state, ...more });

  it.each<[what: string, histories: Token[], record: Token[], expected: Token[]]>([
    ['a history rather than the record', [of('open')], [of('unknown')], [of('open')]],
    ['a delivery that the record has', [of('abandoned')], [of('delivered')], [of('delivered')]],
    ['a delivery that a history has', [of('delivered')], [of('unknown')], [of('delivered')]],
    ['the newest run of a token', [of('open'), of('abandoned')], [], [of('open')]],
    ['a delivery that follows', [], [of('unknown'), of('delivered')], [of('delivered')]],
    ['a delivery that comes first', [], [of('delivered'), of('unknown')], [of('delivered')]],
    [
      'tokens of unknown keys one by one',
      [],
      [token(null, { deliveryId: '1' }), token(null, { deliveryId: '2' })],
      [token(null, { deliveryId: '1' }), token(null, { deliveryId: '2' })],
    ],
  ])('takes %s', (_what, histories, record, expected) => {
    expect(add({ tokens: histories }, { tokens: record }).tokens).toEqual(expected);
  });

  it('calls a token abandoned that its run never got, once the run waits for none', () => {
    const record = { tokens: [of('unknown')] };
    expect(add({}, record).tokens).toEqual([of('abandoned')]);
    expect(add({}, record, []).tokens).toEqual([of('unknown')]);
    const ended = { attempts: [attempt(0, 1)] };
    expect(add(ended, record).tokens).toEqual([of('abandoned')]);
    const creating = { attempts: [attempt(0, null)] };
    expect(add(creating, record).tokens).toEqual([of('unknown')]);
  });

  it('takes each attempt once, and those of a run from its history', () => {
    const other = { runId: 'other' };
    const attempts = [attempt(2, 3), attempt(4, 5, other), attempt(4, 5, other)];
    expect(add({ attempts: [attempt(0, 1)] }, { attempts }).attempts).toEqual([
      attempt(0, 1),
      attempt(4, 5, other),
    ]);
  });

  it('knows every token since the retention period or the record began', () => {
    expect(add({ sinceMs: 2 }, { sinceMs: 1 }).sinceMs).toBe(1);
    expect(add({ sinceMs: 2 }, {}).sinceMs).toBe(2);
  });
});
