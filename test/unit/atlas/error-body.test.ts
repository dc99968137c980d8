import { parseErrorBody } from '../../../src/atlas/error-body';

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

  it.each([null, [], 5, '<html><h1>503</h1></html>', {}])('finds nothing in %j', (body) => {
    expect(parseErrorBody(body)).toEqual({});
  });
});
