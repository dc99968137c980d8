import fc from 'fast-check';
import { parseErrorBody } from '../../../src/atlas/error-body';
import { ANY_CHARACTER } from '../../support/any-character';

const KNOWN = {
  errorCode: 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION',
  detail: 'The address x is odd.',
  reason: 'Bad Request',
};
/** The body recorded at Atlas, every field present. */
const RECORDED = { ...KNOWN, badRequestDetail: null, error: 400, parameters: ['x'] };

describe('parseErrorBody', () => {
  it('reads the body recorded', () => {
    expect(parseErrorBody(RECORDED)).toEqual(KNOWN);
  });

  it('reads which fields are wrong, and passes over a field that has no name', () => {
    const first = { field: 'accessListIps[0]', description: 'is odd' };
    const second = { field: 'accessListIps[1]', description: 'is odd too' };
    const fields = [first, { field: null, description: 'no name' }, 'text', second];
    expect(parseErrorBody({ badRequestDetail: { fields } }).fields).toEqual([first, second]);
  });

  it("reads the token endpoint's own form", () => {
    const parsed = parseErrorBody({ error: 'access_denied', error_description: 'Too many.' });
    expect(parsed).toEqual({ errorCode: 'access_denied', detail: 'Too many.' });
  });

  it.each(['errorCode', 'detail', 'reason', 'badRequestDetail'])('keeps the others when %s is odd', (odd) => {
    const others = Object.entries(KNOWN).filter(([name]) => name !== odd);
    expect(parseErrorBody({ ...RECORDED, [odd]: { odd: true } })).toEqual(Object.fromEntries(others));
  });

  it('bounds texts and fields, and escapes control characters, which Atlas quotes', () => {
    const long = 'x'.repeat(100_000);
    const fields = Array.from({ length: 1000 }, () => ({ field: long, description: long }));
    const reason = 'a\u001b[2Jb\u202ec\n';
    const read = parseErrorBody({ errorCode: long, detail: long, reason, badRequestDetail: { fields } });
    expect([read.errorCode?.length, read.detail?.length, read.fields?.length]).toEqual([200, 200, 20]);
    expect(read.fields?.[0]?.field).toHaveLength(200);
    expect(read.reason).toBe('a\\u001b[2Jb\\u202ec\\u000a');
  });

  it('never throws, and gives bounded, printable texts only', () => {
    const field = fc.record({ field: fc.jsonValue(), description: fc.string({ unit: ANY_CHARACTER }) });
    const detail = fc.record({ fields: fc.array(fc.oneof(field, fc.jsonValue())) });
    const body = fc.record(
      {
        errorCode: fc.oneof(fc.string({ unit: ANY_CHARACTER, maxLength: 2000 }), fc.jsonValue()),
        reason: fc.jsonValue(),
        badRequestDetail: fc.oneof(detail, fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(body, fc.jsonValue()), (json) => {
        const read = parseErrorBody(json);
        for (const value of Object.values(read)) expect(value).toBeDefined();
        const { fields = [], ...others } = read;
        const texts = [...Object.values(others), ...fields.flatMap((field) => Object.values(field))];
        for (const text of texts) {
          expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
          // Escapes included, of six characters each.
          expect(text?.length).toBeLessThanOrEqual(200);
        }
      }),
      // A backslash and a letter, which JSON writes like an escape.
      { examples: [[{ reason: '\\b' }], [{ reason: '\b' }]] },
    );
  });
});
