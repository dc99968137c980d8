import type { Payload } from '@temporalio/common';
import { UNREADABLE, payloadConverter } from '../../../src/shared/payload-converter';

const encode = (text: string) => new TextEncoder().encode(text);
const payload = (encoding: string, data: string): Payload => ({
  metadata: { encoding: encode(encoding) },
  data: encode(data),
});
const nested = (levels: number) => '{"a":['.repeat(levels / 2) + ']}'.repeat(levels / 2);

it.each<[what: string, payload: Payload]>([
  ['what is encrypted', payload('binary/encrypted', 'x')],
  ['bytes', payload('binary/plain', 'x')],
  ['what is not JSON', payload('json/plain', '{')],
  ['JSON nested 52 levels deep', payload('json/plain', nested(52))],
  // `JSON.stringify` fails on it up to Node.js 24, and `String` on any.
  ['JSON nested 100,000 levels deep', payload('json/plain', nested(100_000))],
])('%s is unreadable', (_what, unreadable) => {
  expect(payloadConverter.fromPayload(unreadable)).toBe(UNREADABLE);
});

it.each(['null', '"text"', '{"list":[1,true,{}]}', nested(50)])('JSON is read as it is: %s', (json) => {
  expect(payloadConverter.fromPayload(payload('json/plain', json))).toEqual(JSON.parse(json));
});
