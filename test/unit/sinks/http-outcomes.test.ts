import type * as http from '../../../src/http/send';
import { createSinkSend } from '../../../src/sinks/utils/http-outcomes';

let mockCode: string;
jest.mock('../../../src/http/send', () => {
  const actual = jest.requireActual<typeof http>('../../../src/http/send');
  const send = () => Promise.reject(new actual.HttpError(mockCode, false));
  return { ...actual, createSender: () => ({ send }) };
});

it.each([
  ['CERT_HAS_EXPIRED', "renew it, or check the clock of the worker's host"],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'check its address, or add its CA with NODE_EXTRA_CA_CERTS'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'check its address, or add its CA'],
])('an untrusted certificate (%s) is reported with a remedy', async (code, remedy) => {
  mockCode = code;
  const send = createSinkSend('the webhook at https://a.example', 1000);
  const request = { method: 'POST', url: new URL('https://a.example'), headers: {} } as const;
  await expect(send(request, new AbortController().signal)).rejects.toMatchObject({
    name: 'SinkUnavailableError',
    message: expect.stringContaining(`is not trusted (${code}): ${remedy}`),
  });
});
