import {
  ApplicationFailure,
  TimeoutFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
} from '@temporalio/common';
import fc from 'fast-check';
import { MAX_JWE_LENGTH } from '../../../src/contract/limits';
import type { ValidRequest } from '../../../src/contract/schemas';
import {
  fitsAsJson,
  parseFailure,
  parseLinkState,
  parseReceipt,
  parseReport,
  parseToken,
} from '../../../src/workflows/activity-results';

const REQUEST: ValidRequest = {
  orgId: '64f1c0ffee5eed0000000a71',
  sourceOrgId: null,
  accessListIps: [],
  sink: 'drop',
  credential: 'default',
  warnings: [],
  requestedBy: null,
  changeReference: null,
};
const TOKEN = {
  jwe: 'x'.repeat(MAX_JWE_LENGTH),
  orgId: REQUEST.orgId,
  sourceOrgId: null,
  deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748f',
  tokenSha256: 'a'.repeat(64),
  createdAt: '2026-11-25T01:19:24.628Z',
  unconfirmedTokens: 2,
};

describe('what an activity returns', () => {
  it('passes when it is of this run, the largest sealed token included', () => {
    const { orgId: _, sourceOrgId: __, ...token } = TOKEN;
    expect(parseToken(TOKEN, REQUEST, 2)).toEqual(token);
    const { jwe: ___, ...facts } = TOKEN;
    const receipt = { ...facts, sink: 'drop', location: 'there', fieldOfANewerRelease: 1 };
    expect(parseReceipt(receipt, REQUEST, 'drop', null)).toEqual(receipt);
  });

  it.each([
    [0, false],
    [1, false],
    [2, true],
    [4, true],
  ])('passes with a count of 2 after %i unconfirmed tokens: %p', (countBefore, passes) => {
    expect(parseToken(TOKEN, REQUEST, countBefore) !== null).toBe(passes);
  });

  it('passes a link state only where it says whether the source is linked', () => {
    const state = { linked: false, recentToken: false, lastTokenAt: null, tokenRunId: null };
    expect(parseLinkState(state)).toEqual(state);
    expect(parseLinkState({ ...state, lastTokenAt: 'x', tokenRunId: 'x' })).toEqual(state);
    expect(parseLinkState({ recentToken: false })).toBeNull();
  });

  it('is parsed without an error, and bounded, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        for (const parsed of [
          parseToken(value, REQUEST, 0),
          parseReceipt(value, REQUEST, 'drop', null),
          parseLinkState(value),
          parseReport(value),
        ]) {
          expect(parsed === null || fitsAsJson(parsed, 200_000)).toBe(true);
        }
      }),
    );
  });
});

describe('what an activity fails with', () => {
  it('keeps the fields of the contract', () => {
    const fields = [{ field: 'f', description: 'd' }];
    const details = { status: 403, errorCode: 'X', reason: 'r', detail: 'd', fields };
    const failure = ApplicationFailure.create({
      type: 'AtlasRequestRejected',
      message: 'no',
      nonRetryable: true,
      details: [{ ...details, other: 'x', retryAfterMs: 5 }],
    });
    expect(parseFailure(failure)).toEqual({
      how: 'failed',
      type: 'AtlasRequestRejected',
      message: 'no',
      details,
      retryable: false,
      retryAfterMs: 5,
      tokenMayExist: false,
      sinkTried: true,
    });
  });

  it('of a lost attempt has no wait: Temporal has observed that of the attempt before', () => {
    const before = defaultFailureConverter.errorToFailure(
      ApplicationFailure.create({
        type: 'AtlasUnavailable',
        message: '429',
        details: [{ retryAfterMs: 60_000 }],
      }),
      defaultPayloadConverter,
    );
    const timeout = new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT');
    timeout.failure = { cause: before };
    expect(parseFailure(timeout)).toMatchObject({
      how: 'lost',
      message: '429',
      retryAfterMs: undefined,
      tokenMayExist: true,
    });
  });

  it('is bounded, whatever its message and details are', () => {
    const text = fc.oneof(fc.string(), fc.constant('x'.repeat(1_900_000)));
    const details = fc.oneof(fc.anything(), fc.record({ detail: text, fields: fc.array(fc.anything()) }));
    fc.assert(
      fc.property(text, text, details, (type, message, first) => {
        const failure = ApplicationFailure.create({ type, message, details: [first] });
        expect(fitsAsJson(parseFailure(failure), 300_000)).toBe(true);
      }),
    );
  });
});

it.each([
  ['a short value', { a: 1 }, true],
  ['a long value', 'x'.repeat(100), false],
  ['nothing', undefined, false],
])('%s fits as JSON of 50 characters: %p', (_what, value, expected) => {
  expect(fitsAsJson(value, 50)).toBe(expected);
});

it('a value that cannot be written as JSON does not fit', () => {
  let deep: unknown = [];
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
  expect(fitsAsJson(deep)).toBe(false);
});
