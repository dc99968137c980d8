import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fetch } from 'undici';
import { parseJson, parseRetryAfterMs, readTextCapped } from '../src/http';

const NOW = new Date('2026-01-02T03:04:05Z');

describe('parseRetryAfterMs', () => {
  it.each([
    ['seconds', '120', 120_000],
    ['no wait', '0', 0],
    ['seconds among white space', ' 5 ', 5000],
    ['a date', 'Fri, 02 Jan 2026 03:05:05 GMT', 60_000],
    ['a date of RFC 850', 'Friday, 02-Jan-26 03:05:05 GMT', 60_000],
    ['a date of asctime', 'Fri Jan  2 03:05:05 2026 GMT', 60_000],
    ['a date that has gone by', 'Fri, 02 Jan 2026 03:03:05 GMT', 0],
  ])('reads %s', (_what, header, milliseconds) => {
    expect(parseRetryAfterMs(header, NOW)).toBe(milliseconds);
  });

  it.each([null, '', ' ', '-5', '1.5', '5s', 'soon', '2026-01-02T03:05:05Z', 'Fri, never'])(
    'takes %j for no answer',
    (header) => {
      expect(parseRetryAfterMs(header, NOW)).toBeUndefined();
    },
  );
});

describe('readTextCapped', () => {
  async function readFrom(body: string, limitBytes: number): Promise<string> {
    const server = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      return await readTextCapped(await fetch(`http://127.0.0.1:${port}`), limitBytes);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it.each([
    ['nothing of an empty body', '', 10, ''],
    ['all of a body that fits', 'grün', 5, 'grün'],
    ['as much as the limit of a longer one', 'abcdef', 4, 'abcd'],
    ['a mark for a letter cut in two', 'grün', 3, 'gr\ufffd'],
    ['the start of a body of many chunks', 'x'.repeat(5_000_000), 100_000, 'x'.repeat(100_000)],
  ])('reads %s', async (_what, body, limitBytes, text) => {
    await expect(readFrom(body, limitBytes)).resolves.toBe(text);
  });
});

describe('parseJson', () => {
  it('gives what the text holds, or null', () => {
    expect([parseJson('{"a":1}'), parseJson('<html>'), parseJson('')]).toEqual([{ a: 1 }, null, null]);
  });
});
