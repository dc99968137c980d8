import fc from 'fast-check';
import { parseErrorBody } from '../../src/atlas/error-body';

/** The body recorded at Atlas, every field present. */
const RECORDED = {
  badRequestDetail: null,
  detail: 'The address x is odd.',
  error: 400,
  errorCode: 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION',
  parameters: ['x'],
  reason: 'Bad Request',
};
const KNOWN = { errorCode: RECORDED.errorCode, detail: RECORDED.detail, reason: RECORDED.reason };

describe('parseErrorBody', () => {
  it('reads the body that was recorded', () => {
    expect(parseErrorBody(JSON.stringify(RECORDED))).toEqual(KNOWN);
  });

  it.each([[null], [[]], [['x', 5]], [[{ a: 1 }]], ['text']])(
    'whatever the parameters are: %j',
    (parameters) => {
      expect(parseErrorBody(JSON.stringify({ ...RECORDED, parameters }))).toEqual(KNOWN);
    },
  );

  it('reads which fields are wrong, and passes over a field that has no name', () => {
    const fields = [
      { field: 'accessListIps[0]', description: 'is odd' },
      { field: null, description: 'no name' },
      'text',
      { field: 'accessListIps[1]', description: 'is odd too' },
    ];
    expect(parseErrorBody(JSON.stringify({ badRequestDetail: { fields } })).fields).toEqual([
      { field: 'accessListIps[0]', description: 'is odd' },
      { field: 'accessListIps[1]', description: 'is odd too' },
    ]);
  });

  it("reads the token endpoint's own form", () => {
    expect(parseErrorBody('{"error":"access_denied","error_description":"Too many."}')).toEqual({
      errorCode: 'access_denied',
      detail: 'Too many.',
    });
  });

  it.each(['errorCode', 'detail', 'reason', 'badRequestDetail'])('keeps the others when %s is odd', (odd) => {
    const others = Object.entries(KNOWN).filter(([name]) => name !== odd);
    const body = JSON.stringify({ ...RECORDED, [odd]: { odd: true } });
    expect(parseErrorBody(body)).toEqual(Object.fromEntries(others));
  });

  it.each(['', '<html><h1>503</h1></html>', 'null', '[]', '5', '"text"', '{', '{}'])(
    'finds nothing in %j',
    (body) => {
      expect(parseErrorBody(body)).toEqual({});
    },
  );

  it('bounds texts and fields', () => {
    const long = 'x'.repeat(100_000);
    const fields = Array.from({ length: 1000 }, () => ({ field: long, description: long }));
    const read = parseErrorBody(
      JSON.stringify({ errorCode: long, detail: long, badRequestDetail: { fields } }),
    );
    expect([read.errorCode?.length, read.detail?.length, read.fields?.length]).toEqual([500, 500, 20]);
    expect(read.fields?.[0]?.field).toHaveLength(500);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (body) => void parseErrorBody(body)));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(RECORDED)), fc.jsonValue()), (body) => {
        for (const value of Object.values(parseErrorBody(JSON.stringify(body)))) expect(value).toBeDefined();
      }),
    );
  });
});
