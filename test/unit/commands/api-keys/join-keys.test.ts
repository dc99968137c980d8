import { joinKeys, type Known, type Token } from '../../../../src/commands/api-keys/join-keys';
import type { ApiKey } from '../../../../src/commands/api-keys/read-keys';
import { at, newAttempt, newKey, newToken, NOTHING } from './samples';

/** Joins keys and what is known, by default days later, with all since 1970 known. */
const join = (keys: ApiKey[], known: Partial<Known>, nowSeconds = 1e6) =>
  joinKeys(keys, { ...NOTHING, sinceMs: 0, ...known }, Date.parse(at(nowSeconds)));

const statesOf = (...args: Parameters<typeof join>) =>
  join(...args).map(({ key: { publicKey }, state }) => [publicKey, state]);

/** Explains why the state of a key that was made at nine is unknown; null if it is an orphan. */
const whyOf = (known: Partial<Known>, key: Partial<ApiKey> = {}, nowSeconds?: number) =>
  join([newKey('x', 0, key)], known, nowSeconds).map(({ state, why }) => why ?? state)[0];

const ATTEMPTS = [newAttempt(-5, 5)];

it('joinKeys gives each key the token with its public key, oldest key first', () => {
  const tokens = [
    newToken('a'),
    newToken('b', { state: 'open' }),
    newToken('c', { state: 'abandoned' }),
  ];
  const keys = [newKey('c', 0), newKey('b', 900), newKey('a', -900)];
  const rest = { why: null, attempts: [] };
  expect(join(keys, { tokens, attempts: ATTEMPTS })).toEqual([
    { key: keys[2], state: 'delivered', token: tokens[0], ...rest },
    { key: keys[0], state: 'abandoned', token: tokens[2], ...rest },
    { key: keys[1], state: 'open', token: tokens[1], ...rest },
  ]);
});

it('joinKeys takes the key of a token in another case and whatever its description', () => {
  const key = newKey('ABCDEFGH', 0, { desc: 'renamed', isOwner: false });
  expect(statesOf([key], { tokens: [newToken('abcdefgh')] })).toEqual([['ABCDEFGH', 'delivered']]);
});

it('joinKeys names the nearest attempt first', () => {
  const [far, near] = [newAttempt(-40, -39), newAttempt(2, 3)];
  expect(join([newKey('x')], { attempts: [far, near] })[0]?.attempts).toEqual([near, far]);
});

it('joinKeys leaves out keys of something else', () => {
  const keys = [
    newKey('at another time', 900, { desc: 'billing' }),
    newKey('with another role', 0, { desc: 'billing', isOwner: false }),
  ];
  expect(join(keys, { attempts: ATTEMPTS })).toEqual([]);
});

it.each<[what: string, state: string, known: Partial<Known>, key?: Partial<ApiKey>, now?: number]>([
  ['made during an attempt', 'orphan', { attempts: ATTEMPTS }],
  ['made a minute before one', 'orphan', { attempts: [newAttempt(60, 90)] }],
  ['made a minute after one', 'orphan', { attempts: [newAttempt(-90, -60)] }],
  [
    'made earlier than that',
    'made when no known attempt was in progress',
    { attempts: [newAttempt(61, 90)] },
  ],
  [
    'made later than that',
    'made when no known attempt was in progress',
    { attempts: [newAttempt(-90, -61)] },
  ],
  ['made an hour ago', 'orphan', { attempts: ATTEMPTS }, {}, 3600],
  ['made later than that', 'made less than an hour ago', { attempts: ATTEMPTS }, {}, 3599],
  [
    'that a request in progress may have made',
    'a request is in progress',
    { attempts: [...ATTEMPTS, newAttempt(60, null)] },
  ],
  ['made before such a request', 'orphan', { attempts: [...ATTEMPTS, newAttempt(61, null)] }],
  ['made as soon as all is known', 'orphan', { attempts: ATTEMPTS, sinceMs: Date.parse(at(0)) }],
  [
    'made before all is known',
    'older than what Temporal retains',
    { attempts: ATTEMPTS, sinceMs: Date.parse(at(1)) },
  ],
  [
    'with another description',
    'its description is not that of a link-token',
    { attempts: ATTEMPTS },
    { desc: 'Migration' },
  ],
  [
    'made when no attempt was in progress, near a token whose key was deleted',
    'made when no known attempt was in progress',
    { tokens: [newToken('deleted')] },
  ],
])('a key %s: %s', (_what, expected, ...known) => {
  expect(whyOf(...known)).toBe(expected);
});

it.each([
  ['an hour before it', 3600, true],
  ['earlier', 3601, false],
  ['an hour after it', -3600, true],
  ['later', -3601, false],
])('a token without a known key makes keys unknown that were made %s', (_when, seconds, isNear) => {
  const tokens = [newToken(null, { deliveryId: 'new-form', createdAt: at(seconds) })];
  const why = 'made near token new-form, whose key is not known';
  expect(whyOf({ tokens, attempts: ATTEMPTS })).toBe(isNear ? why : 'orphan');
});

it('a token whose key was deleted makes no other key unknown', () => {
  const tokens = [newToken('deleted', { createdAt: at(10) })];
  expect(whyOf({ tokens, attempts: ATTEMPTS })).toBe('orphan');
});

const ofKey = (state: Token['state'], more: Partial<Token> = {}) =>
  newToken('a', { state, ...more });

it.each<[what: string, tokens: Token[], expected: Token]>([
  ['a delivery, whichever has it', [ofKey('open'), ofKey('delivered')], ofKey('delivered')],
  ['the newest run', [ofKey('open'), ofKey('abandoned')], ofKey('open')],
  [
    'every sink that was tried',
    [ofKey('open', { sinksTried: ['drop'] }), ofKey('open', { sinksTried: ['vault', 'drop'] })],
    ofKey('open', { sinksTried: ['drop', 'vault'] }),
  ],
])('of the runs of one token, joinKeys takes %s', (_what, tokens, expected) => {
  expect(join([newKey('a')], { tokens })[0]?.token).toEqual(expected);
});
