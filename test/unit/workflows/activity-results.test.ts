import {
  ApplicationFailure,
  TimeoutFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
} from '@temporalio/common';
import fc from 'fast-check';
import { MAX_JWE_LENGTH } from '../../../src/contract/limits';
import { failureDetailsSchema, type ValidRequest } from '../../../src/contract/schemas';
import { fitsAsJson } from '../../../src/shared/object';
import * as results from '../../../src/workflows/activity-results';

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
const RECEIPT = { ...PAIR, ...FACTS, sink: 'drop', location: 'there', fieldOfANewerRelease: 1 };
const LINK_STATE = { linked: false, recentToken: false, lastTokenAt: null, tokenRunId: null };

describe('what an activity returns', () => {
  it('is taken if it is of this run, even if it is as large as permitted', () => {
    expect(results.parseToken(TOKEN, REQUEST, 2)).toEqual({ ...FACTS, jwe: TOKEN.jwe });
    expect(results.parseToken(TOKEN, REQUEST, 4)).not.toBeNull();
    expect(results.parseToken(TOKEN, REQUEST, 1)).toBeNull();
    expect(results.parseToken({ ...TOKEN, orgId: 'x' }, REQUEST, 2)).toBeNull();
    expect(results.parseReceipt(RECEIPT, REQUEST, 'drop', null)).toEqual(RECEIPT);
    expect(results.parseReceipt(RECEIPT, REQUEST, 'other', null)).toBeNull();
    expect(results.parseLinkState({ ...LINK_STATE, lastTokenAt: 'x', tokenRunId: 'x' })).toEqual(LINK_STATE);
    expect(results.parseLinkState({ recentToken: false })).toBeNull();
  });

  it.each<[what: string, valid: object, parse: (input: unknown) => unknown]>([
    ['token', TOKEN, (input) => results.parseToken(input, REQUEST, 2)],
    ['receipt', RECEIPT, (input) => results.parseReceipt(input, REQUEST, 'drop', null)],
    ['link state', LINK_STATE, results.parseLinkState],
    ['report', { findings: [], request: null, fields: [] }, results.parseReport],
  ])('is read as a %s of bounded size or null, for any input and value of a field', (_what, valid, parse) => {
    const parseBounded = (input: unknown) => {
      const parsed = parse(input);
      expect(!parsed || fitsAsJson(parsed, 200_000)).toBe(true);
      return parsed;
    };
    expect(parseBounded(valid)).not.toBeNull();
    const fields = Object.keys(valid);
    /** A time to `Date.parse`. */
    const huge = `2026 (${'x'.repeat(1_900_000)})`;
    for (const field of fields) parseBounded({ ...valid, [field]: huge });
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...fields), (value, field) => {
        parseBounded(value);
        parseBounded({ ...valid, [field]: value });
      }),
    );
  });
});

describe('what an activity fails with', () => {
  it('keeps the fields of the contract', () => {
    const fields = [{ field: 'f', description: 'd' }];
    const details = { status: 403, errorCode: 'X', reason: 'r', detail: 'd', fields };
    const given = { ...details, other: 'x', retryAfterMs: 5, tokenMayExist: false, runMayRetry: true };
    expect(results.parseFailure(ApplicationFailure.nonRetryable('no', 'AtlasRequestRejected', given))).toEqual({
      ...{ how: 'failed', type: 'AtlasRequestRejected', message: 'no', details, runMayRetry: true },
      ...{ retryAfterMs: 5, tokenMayExist: false, sinkTried: true },
    });
  });

  it('is final for the run, and a token may exist, if it is non-retryable and has no details', () => {
    const failure = results.parseFailure(ApplicationFailure.nonRetryable('no', 'AtlasRequestRejected'));
    expect(failure).toMatchObject({ tokenMayExist: true, runMayRetry: false, sinkTried: true });
  });

  it('has no Retry-After of the attempt before one that timed out, since that wait is over', () => {
    const before = ApplicationFailure.retryable('429', 'AtlasUnavailable', { retryAfterMs: 60_000 });
    const timeout = new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT');
    timeout.failure = { cause: defaultFailureConverter.errorToFailure(before, defaultPayloadConverter) };
    const lost = { how: 'lost', message: '429', retryAfterMs: undefined, tokenMayExist: true };
    expect(results.parseFailure(timeout)).toMatchObject(lost);
  });

  it('is cut to what the contract permits, whatever its message, wait and details', () => {
    const text = fc.oneof(fc.string(), fc.constant('x'.repeat(1_900_000)));
    const bounded = {
      detail: text,
      fields: fc.array(fc.anything()),
      retryAfterMs: fc.constantFrom(0, 1e300),
    };
    const details = fc.oneof(fc.anything(), fc.record(bounded));
    fc.assert(
      fc.property(text, text, details, (type, message, first) => {
        const failure = results.parseFailure(ApplicationFailure.create({ type, message, details: [first] }));
        expect(fitsAsJson(failure, 300_000)).toBe(true);
        const given = failureDetailsSchema.safeParse({ ...failure.details, unconfirmedTokens: 0 });
        expect(given.error).toBeUndefined();
        expect(failure.retryAfterMs ?? 0).toBeLessThanOrEqual(24 * 3_600_000);
      }),
    );
  });
});
