import type { Payload } from '@temporalio/common';
import { UNREADABLE, payloadConverter } from '../../../src/shared/payload-converter';

const encode = (text: string) => new TextEncoder().encode(text);
const payload = (encoding: string, data: string): Payload => ({
  metadata: { encoding: encode(encoding) },
  data: encode(data),
});
/** A string whose JSON has this many bytes. */
const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`;
const lists = (brackets: number) =>
  `[${Array(brackets - 1)
    .fill('[]')
    .join()}]`;
const nested = (levels: number) => '{"a":['.repeat(levels / 2) + ']}'.repeat(levels / 2);

it.each<[what: string, payload: Payload]>([
  ['an encrypted payload', payload('binary/encrypted', 'x')],
  ['a payload of raw bytes', payload('binary/plain', 'x')],
  ['a payload that is not JSON', payload('json/plain', '{')],
  ['JSON nested 52 levels deep', payload('json/plain', nested(52))],
  ['JSON of 512 KB and one byte', payload('json/plain', text(512 * 1024 + 1))],
  ['JSON with 10,001 brackets', payload('json/plain', lists(10_001))],
  // `JSON.stringify` fails on it up to Node.js 24, and `String` on any.
  ['JSON nested 100,000 levels deep', payload('json/plain', nested(100_000))],
])('%s is unreadable', (_what, unreadable) => {
  expect(payloadConverter.fromPayload(unreadable)).toBe(UNREADABLE);
});

it.each([
  ['null', 'null'],
  ['a text', '"text"'],
  ['an object', '{"list":[1,true,{}]}'],
  ['an object nested 50 levels deep', nested(50)],
  ['512 KB', text(512 * 1024)],
  ['10,000 brackets', lists(10_000)],
])('JSON is read as it is: %s', (_what, json) => {
  expect(payloadConverter.fromPayload(payload('json/plain', json))).toEqual(JSON.parse(json));
});
