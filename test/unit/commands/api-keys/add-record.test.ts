import { addRecord } from '../../../../src/commands/api-keys/add-record';
import type { Known, Token } from '../../../../src/commands/api-keys/join-keys';
import { at, newAttempt, newToken, NOTHING } from './samples';

const add = (histories: Partial<Known>, record: Partial<Known>) =>
  addRecord({ ...NOTHING, ...histories }, { ...NOTHING, ...record });
const of = (state: Token['state'], more: Partial<Token> = {}) => newToken('a', { state, ...more });
const withoutKey = (state: Token['state'], more: Partial<Token> = {}) =>
  of(state, { publicApiKey: null, ...more });

it.each<[what: string, histories: Token[], record: Token[], expected: Token[]]>([
  ['a history rather than the record', [of('open')], [of('unknown')], [of('open')]],
  ['a delivery that the record has', [of('abandoned')], [of('delivered')], [of('delivered')]],
  ['a delivery that a history has', [of('delivered')], [of('unknown')], [of('delivered')]],
  ['the newest run of a token', [of('open'), of('abandoned')], [], [of('open')]],
  ['a delivery that follows', [], [of('unknown'), of('delivered')], [of('delivered')]],
  ['a delivery that comes first', [], [of('delivered'), of('unknown')], [of('delivered')]],
  [
    'the key that only the record has',
    [withoutKey('delivered')],
    [of('unknown')],
    [of('delivered')],
  ],
  [
    'both keys that two runs name of one token',
    [of('open'), of('delivered', { publicApiKey: 'b' })],
    [],
    [of('delivered'), of('delivered', { publicApiKey: 'b' })],
  ],
  [
    'tokens without a known key one by one',
    [withoutKey('abandoned', { deliveryId: null, runId: 'one' })],
    [withoutKey('unknown', { deliveryId: '1' }), withoutKey('unknown', { deliveryId: '2' })],
    [
      withoutKey('abandoned', { deliveryId: null, runId: 'one' }),
      withoutKey('unknown', { deliveryId: '1' }),
      withoutKey('unknown', { deliveryId: '2' }),
    ],
  ],
  [
    'every sink that was tried',
    [of('open', { sinksTried: ['drop'] })],
    [of('unknown', { sinksTried: ['vault', 'drop'] }), of('unknown', { sinksTried: null })],
    [of('open', { sinksTried: ['drop', 'vault'] })],
  ],
  [
    'no sink if none is known',
    [],
    [of('unknown', { sinksTried: null })],
    [of('unknown', { sinksTried: null })],
  ],
])('addRecord takes %s', (_what, histories, record, expected) => {
  expect(add({ tokens: histories }, { tokens: record }).tokens).toEqual(expected);
});

it.each<[what: string, state: Token['state'], histories: Partial<Known>]>([
  ['came during an attempt that ended without it', 'abandoned', { attempts: [newAttempt(0, 1)] }],
  ['came a minute after that', 'abandoned', { attempts: [newAttempt(-90, -59.5)] }],
  ['came later', 'unknown', { attempts: [newAttempt(-90, -59.6)] }],
  ['came before', 'unknown', { attempts: [newAttempt(60.6, 90)] }],
  ['may still come', 'unknown', { attempts: [newAttempt(0, null)] }],
  [
    'came during an attempt of another run',
    'unknown',
    { attempts: [newAttempt(0, 1, { runId: 'other' })] },
  ],
  // Such as that of a restored database, which may lack the delivery.
  ['is missing in a history for no known reason', 'unknown', {}],
])('addRecord calls a token that %s %s', (_what, state, histories) => {
  expect(add(histories, { tokens: [of('unknown')] }).tokens).toEqual([of(state)]);
});

it('addRecord takes each attempt once, and those that a restored history lacks', () => {
  const other = { runId: 'other' };
  const sameInLog = newAttempt(-0.2, 1.3);
  const lacking = newAttempt(4, 5);
  const ofOther = newAttempt(0, 1, other);
  const { attempts } = add(
    { attempts: [newAttempt(0, 1), newAttempt(9, null)] },
    { attempts: [sameInLog, lacking, lacking, ofOther, ofOther, newAttempt(10, 11)] },
  );
  expect(attempts).toEqual([newAttempt(0, 1), newAttempt(9, null), lacking, ofOther]);
});

const OTHER_RUN = { runId: 'other' };

it.each<[what: string, expected: number, histories: Partial<Known>, record: Partial<Known>]>([
  ['Temporal retains runs', 2, {}, {}],
  ['a person says, if that is earlier', 1, {}, { sinceMs: 1 }],
  ['a person says, if that is later', 3, {}, { sinceMs: 3 }],
  [
    'Temporal retains runs, with a run that both have',
    2,
    { attempts: [newAttempt(0, 1)] },
    { tokens: [of('unknown')] },
  ],
  ['Infinity, with an attempt that Temporal lacks', Infinity, {}, { attempts: [newAttempt(0, 1)] }],
  [
    'Infinity, with a token that Temporal lacks',
    Infinity,
    { tokens: [of('open')] },
    { tokens: [of('delivered', OTHER_RUN)] },
  ],
  ['a person says, whatever Temporal lacks', 3, {}, { sinceMs: 3, attempts: [newAttempt(0, 1)] }],
  [
    'Temporal retains runs, with older ones in the record',
    Date.parse(at(2)),
    { sinceMs: Date.parse(at(2)) },
    { tokens: [of('delivered')], attempts: [newAttempt(0, 1)] },
  ],
])('addRecord knows all since %s', (_what, expected, histories, record) => {
  expect(add({ sinceMs: 2, ...histories }, record).sinceMs).toBe(expected);
});
