import fc from 'fast-check';
import {
  madeAtMs,
  matchKeys,
  mergeOrigins,
  spanOfArrival,
  spanOfAttempt,
  spanOfCreation,
  stateOf,
  type AttemptOrigin,
  type Origin,
  type Span,
  type TokenOrigin,
} from '../../../../src/commands/api-keys/match-keys';

const START_MS = Date.parse('2026-11-25T09:00:00.500Z');
const at = (seconds: number) => new Date(START_MS + seconds * 1000).toISOString();

/** Builds the id of a key that Atlas made at a time. */
const keyMadeAt = (ms: number) => ({ id: `${Math.floor(ms / 1000).toString(16)}0123456789abcdef` });
const keyAt = (seconds: number) => keyMadeAt(START_MS + seconds * 1000);

const tokenOf = (span: Span) => ({ type: 'token', state: 'open', span }) as const;

/** Tells the first and the last second at which a key may belong to a span, from START_MS. */
function secondsOf(span: Span): string {
  const seconds = Array.from({ length: 400 }, (_, index) => index - 100);
  const inSpan = seconds.filter(
    (second) => matchKeys([keyAt(second)], [tokenOf(span)]).withoutKey.length === 0,
  );
  return `${inSpan[0]} to ${inSpan.at(-1)}`;
}

it.each([
  ['an attempt of a moment', 0, 0, '-10 to 10'],
  ['a long attempt whose token arrived early', 50, 2, '-10 to 22'],
  ['a long attempt whose token arrived at its end', 50, 49, '-10 to 60'],
  ['a worker whose clock is ten minutes fast', 1, 601, '-10 to 11'],
  ['a worker whose clock is ten minutes slow', 1, -599, '-10 to 11'],
])('the key of %s was made in the seconds around it', (_what, end, arrival, seconds) => {
  const attempt = { startedAt: at(0), endedAt: at(end) };
  expect(secondsOf(spanOfCreation(attempt, at(arrival)))).toBe(seconds);
});

it('the key of an attempt without a token may be made in the minute after it, too', () => {
  const attempt = { startedAt: at(0), endedAt: at(30) };
  expect(secondsOf(spanOfAttempt(attempt))).toBe('-10 to 100');
});

it('a key was made around the minute before a token whose arrival alone is known', () => {
  expect(secondsOf(spanOfArrival(at(0)))).toBe('-80 to 20');
});

it('the first eight digits of a key’s id are the second of its creation', () => {
  expect(new Date(madeAtMs('6925711d4f3c2b1a09876543')).toISOString()).toBe(
    '2025-11-25T09:04:29.000Z',
  );
});

describe('matchKeys', () => {
  /** A token; `r` was only received. `u` is an unconfirmed attempt, and `p` one in progress. */
  const origin = (name: string, from: number, to: number) => {
    const span = { fromMs: START_MS + from * 1000, toMs: START_MS + to * 1000 };
    if (name === 'u') return { name, type: 'attempt', state: 'unconfirmed', span } as const;
    if (name === 'r') return { name, type: 'received', state: 'unknown', span } as const;
    if (name === 'p') return { name, type: 'attempt', state: 'inProgress', span } as const;
    return { name, ...tokenOf(span) };
  };

  it.each<
    [
      what: string,
      keys: number[],
      origins: [string, number, number][],
      matches: string[],
      without: string,
    ]
  >([
    ['nothing', [], [], [], ''],
    ['a key of nobody', [5], [], ['5:'], ''],
    ['a token without a key', [], [['a', 0, 1]], [], 'a'],
    ['one key of one token', [5], [['a', 0, 10]], ['5:a'], ''],
    [
      'keys in the order of time',
      [50, 5],
      [
        ['b', 40, 60],
        ['a', 0, 10],
      ],
      ['5:a', '50:b'],
      '',
    ],
    [
      'two tokens of one second',
      [5, 6],
      [
        ['a', 0, 10],
        ['b', 1, 11],
      ],
      ['5:ab', '6:ab'],
      '',
    ],
    [
      'a lost attempt without a key, and a token',
      [5],
      [
        ['u', 0, 10],
        ['a', 1, 11],
      ],
      ['5:a'],
      'u',
    ],
    [
      'a killed attempt with a key, and the token that followed',
      [1, 62],
      [
        ['u', 0, 70],
        ['a', 51, 72],
      ],
      ['1:u', '62:a'],
      '',
    ],
    [
      'a lost attempt with a key, and a token',
      [5, 6],
      [
        ['u', 0, 10],
        ['a', 1, 11],
      ],
      ['5:ua', '6:ua'],
      '',
    ],
    [
      'an attempt in progress, and a token',
      [5],
      [
        ['a', 0, 10],
        ['p', 1, Infinity],
      ],
      ['5:ap'],
      '',
    ],
    ['a token that was only received', [5], [['r', 0, 10]], ['5:r'], ''],
    [
      'an attempt of a worker that stood still',
      [5],
      [
        ['u', 0, 10],
        ['r', 0, 10],
      ],
      ['5:u'],
      '',
    ],
    [
      'a received token beside another that has its key',
      [5, 20],
      [
        ['a', 0, 10],
        ['r', 1, 30],
      ],
      ['5:a', '20:r'],
      '',
    ],
    ['a received token without a key', [], [['r', 0, 10]], [], 'r'],
    ['a key before, and one after', [-1, 11], [['a', 0, 10]], ['-1:', '11:'], 'a'],
    ['the first and the last second', [0, 10], [['a', 0, 10]], ['0:a', '10:a'], ''],
  ])('%s', (_what, keys, origins, expected, without) => {
    const namedKeys = keys.map((second) => ({ second, ...keyAt(second) }));
    const { matches, withoutKey } = matchKeys(
      namedKeys,
      origins.map((args) => origin(...args)),
    );
    const names = (list: { name: string }[]) => list.map(({ name }) => name).join('');
    expect(matches.map(({ key, origins: ofKey }) => `${key.second}:${names(ofKey)}`)).toEqual(
      expected,
    );
    expect(names(withoutKey)).toBe(without);
  });

  /** A time of which an id has eight digits. */
  const startMs = fc.integer({ min: Date.parse('2000-01-01'), max: Date.parse('2100-01-01') });
  const iso = (ms: number) => new Date(ms).toISOString();

  /**
   * Tells whether the key is found that Atlas made when the token arrived. Clocks are wrong by
   * milliseconds.
   */
  function isFound(
    attempt: { startMs: number; createdMs: number; endMs: number },
    atlasMs: number,
    workerMs: number,
  ) {
    const { createdMs } = attempt;
    const [startedAt, endedAt] = [iso(attempt.startMs), iso(attempt.endMs)];
    const span = spanOfCreation({ startedAt, endedAt }, iso(createdMs + workerMs));
    return matchKeys([keyMadeAt(createdMs + atlasMs)], [tokenOf(span)]).withoutKey.length === 0;
  }

  const attemptsUpTo = (longestMs: number) =>
    fc.tuple(startMs, fc.nat(longestMs), fc.nat(longestMs)).map(([start, before, after]) => {
      const createdMs = start + before;
      return { startMs: start, createdMs, endMs: Math.min(createdMs + after, start + longestMs) };
    });

  it('finds every key while each clock is wrong by ten seconds at most', () => {
    const error = fc.integer({ min: -10_000, max: 10_000 });
    fc.assert(
      fc.property(attemptsUpTo(600_000), error, error, (attempt, atlasMs, workerMs) => {
        expect(isFound(attempt, atlasMs, workerMs)).toBe(true);
      }),
    );
  });

  it('finds the key of a short attempt, however wrong the worker’s clock is', () => {
    const anyError = fc.integer({ min: -1e10, max: 1e10 });
    fc.assert(
      fc.property(attemptsUpTo(10_000), anyError, (attempt, workerMs) => {
        expect(isFound(attempt, 0, workerMs)).toBe(true);
      }),
    );
  });

  it('names each key and each origin once, also an origin without a key', () => {
    const spans = fc
      .tuple(fc.constantFrom('a', 'u', 'p'), fc.nat(1000), fc.nat(30))
      .map(([name, from, length]) => origin(name, from, from + length));
    fc.assert(
      fc.property(fc.array(fc.nat(1000)), fc.array(spans), (seconds, origins) => {
        const keys = seconds.map(keyAt);
        const { matches, withoutKey } = matchKeys(keys, origins);
        expect(new Set(matches.map(({ key }) => key))).toEqual(new Set(keys));
        const withKey = new Set(matches.flatMap((match) => match.origins));
        expect(withoutKey.filter((one) => withKey.has(one))).toEqual([]);
        expect(withoutKey.length + withKey.size).toBe(origins.length);
      }),
    );
  });
});

it.each<[states: Origin['state'][], state: string]>([
  [[], 'other'],
  [['delivered'], 'delivered'],
  [['delivered', 'delivered'], 'delivered'],
  [['unconfirmed', 'unconfirmed'], 'unconfirmed'],
  [['delivered', 'unconfirmed'], 'mixed'],
])('a key whose origins are %j is %s', (states, expected) => {
  const span = spanOfAttempt({ startedAt: at(0), endedAt: at(0) });
  const origins = states.map((state) => ({ state, span }));
  expect(stateOf(keyAt(0).id, origins)).toBe(expected);
});

it('a key is mixed if it was made after the end of the attempts that may have made it', () => {
  const origin = {
    state: 'unconfirmed',
    span: spanOfAttempt({ startedAt: at(0), endedAt: at(9) }),
  };
  const stateAt = (second: number) => stateOf(keyAt(second).id, [origin as AttemptOrigin]);
  expect([-10, 19, 20, 79].map(stateAt)).toEqual(['unconfirmed', 'unconfirmed', 'mixed', 'mixed']);
});

it('a key is mixed in a wait that is longer than any attempt', () => {
  const origin = {
    state: 'unconfirmed',
    span: spanOfAttempt({ startedAt: at(0), endedAt: at(7 * 24 * 3600) }),
  };
  expect(stateOf(keyAt(3600).id, [origin as AttemptOrigin])).toBe('mixed');
});

it.each<[what: string, states: TokenOrigin['state'][], state: string]>([
  ['a later run or line that delivered it', ['abandoned', 'delivered'], 'delivered'],
  ['an earlier delivery', ['delivered', 'abandoned'], 'delivered'],
  ['what comes first, without a delivery', ['open', 'abandoned', 'unknown'], 'open'],
])('a token has the state of %s, and the times of its request', (_what, states, expected) => {
  const span = spanOfAttempt({ startedAt: at(0), endedAt: at(1) });
  const tokens = states.map((state, index) => {
    const isLast = index === states.length - 1;
    const token = { type: 'token', state, deliveryId: 'id', span: spanOfArrival(at(1)) };
    return (isLast ? { ...token, span } : token) as TokenOrigin;
  });
  expect(mergeOrigins(tokens, [])).toMatchObject([{ state: expected, span }]);
});

it('the record gives the attempts of runs that Temporal no longer has', () => {
  const attempt = (runId: string, startedAt: string) => {
    const span = spanOfAttempt({ startedAt, endedAt: startedAt });
    return { type: 'attempt', workflowId: 'id', runId, startedAt, span } as Origin;
  };
  const kept = attempt('kept', at(1));
  const deleted = attempt('deleted', at(5));
  expect(mergeOrigins([kept], [attempt('kept', at(0)), deleted])).toEqual([kept, deleted]);
});

it('the record gives a token that a run of Temporal never got', () => {
  const run = { runId: 'kept', span: spanOfArrival(at(0)) };
  const token = { ...run, type: 'token', state: 'open', deliveryId: 'known' } as Origin;
  const arrival = { ...run, type: 'received', state: 'unknown' } as const;
  const known = { ...arrival, deliveryId: 'known' } as Origin;
  const refused = { ...arrival, deliveryId: 'refused' } as Origin;
  expect(mergeOrigins([token], [known, refused])).toEqual([token, refused]);
});
