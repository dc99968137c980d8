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
  ...{ orgId: '64f1c0ffee5eed0000000a71', sourceOrgId: null, accessListIps: [], sink: 'drop' },
  ...{ credential: 'default', warnings: [], requestedBy: null, changeReference: null },
};
const FACTS = {
  ...{ deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748f', tokenSha256: 'a'.repeat(64) },
  ...{ createdAt: '2026-11-25T01:19:24.628Z', unconfirmedTokens: 2 },
};
const PAIR = { orgId: REQUEST.orgId, sourceOrgId: null };
const TOKEN = { ...PAIR, ...FACTS, jwe: 'x'.repeat(MAX_JWE_LENGTH) };

describe('what an activity returns', () => {
  it('passes when it is of this run, the largest sealed token included', () => {
    expect(parseToken(TOKEN, REQUEST, 2)).toEqual({ ...FACTS, jwe: TOKEN.jwe });
    const receipt = { ...PAIR, ...FACTS, sink: 'drop', location: 'there', fieldOfANewerRelease: 1 };
    expect(parseReceipt(receipt, REQUEST, 'drop', null)).toEqual(receipt);
  });

  it('passes with no more unconfirmed tokens than the run has counted', () => {
    expect(parseToken(TOKEN, REQUEST, 1)).toBeNull();
    expect(parseToken(TOKEN, REQUEST, 4)).not.toBeNull();
  });

  it('passes a link state only where it says whether the source is linked', () => {
    const state = { linked: false, recentToken: false, lastTokenAt: null, tokenRunId: null };
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

  it('fits when it is short as JSON, and can be written as JSON', () => {
    expect(fitsAsJson({ a: 1 }, 50)).toBe(true);
    expect(fitsAsJson('x'.repeat(100), 50)).toBe(false);
    let deep: unknown = [];
    for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
    expect(fitsAsJson(deep)).toBe(false);
  });
});

describe('what an activity fails with', () => {
  it('keeps the fields of the contract', () => {
    const fields = [{ field: 'f', description: 'd' }];
    const details = { status: 403, errorCode: 'X', reason: 'r', detail: 'd', fields };
    const given = { ...details, other: 'x', retryAfterMs: 5 };
    expect(parseFailure(ApplicationFailure.nonRetryable('no', 'AtlasRequestRejected', given))).toEqual({
      ...{ how: 'failed', type: 'AtlasRequestRejected', message: 'no', details, retryable: false },
      ...{ retryAfterMs: 5, tokenMayExist: false, sinkTried: true },
    });
  });

  it('of a lost attempt has no wait: Temporal has observed that of the attempt before', () => {
    const before = ApplicationFailure.retryable('429', 'AtlasUnavailable', { retryAfterMs: 60_000 });
    const timeout = new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT');
    timeout.failure = { cause: defaultFailureConverter.errorToFailure(before, defaultPayloadConverter) };
    const lost = { how: 'lost', message: '429', retryAfterMs: undefined, tokenMayExist: true };
    expect(parseFailure(timeout)).toMatchObject(lost);
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
