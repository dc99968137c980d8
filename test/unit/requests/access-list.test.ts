import fc from 'fast-check';
import { validateEntry } from '../../../src/requests/access-list';

const textsIn = (list: string) => list.trim().split(/\s+/);

it.each<[what: string, problem: RegExp, texts: string[]]>([
  [
    'what is not an address: a host name, a port, a range, leading zeros',
    /^is neither an address nor a CIDR block/,
    [
      '',
      ' \t',
      '192.31.196.7\r\n',
      '192.31.196.0 /24',
      '192.31.196.7\u00a0',
      '192.31.196.7\0',
      ...textsIn(`
        db.example.com 192.31.196.7:27017 [2001:4:112::1] 192.31.196.1-192.31.196.9
        192.31.196 3223307271 0xc0.31.196.7 010.0.0.1 192.31.196.256 2001::4:112::1
        2001:4:112::010.0.0.1 2001:4:112::1%eth0 192.31.196.0/ /24 192.31.196.0/24/24
        192.31.196.0/024 192.31.196.0/33 192.31.196.0/255.255.255.0 2001:4:112::/129
      `),
    ],
  ],
  [
    'an IPv4-mapped address',
    /^is an IPv4-mapped IPv6 address: write the/,
    textsIn('::ffff:1.2.3.4 ::ffff:0:0/96'),
  ],
  [
    'the whole Internet',
    /^lets in the whole Internet: write the public/,
    ['0.0.0.0/0', '192.31.196.7/0', '::/0'],
  ],
  [
    'an IPv4 block wider than /8',
    /^is too wide .*, or a block of \/16 or narrower$/,
    ['16.0.0.0/7'],
  ],
  [
    'an IPv6 block wider than /20',
    /^is too wide .*, or a block of \/32 or narrower$/,
    ['2600:2000::/19'],
  ],
  [
    'a private or reserved range',
    /^is in a range that is not public \(\w+\): write the public address of an Ops Manager instance$/,
    textsIn(`
        0.0.0.0 127.0.0.1/8 169.254.169.254 192.0.2.1 198.18.0.0/15 224.0.0.1
        255.255.255.255 192.0.0.0/8 203.0.112.0/23 :: ::1 64:ff9b::1 2001::1
        2001:db8::/32 2002::1 fe80::1 ff02::1 10.1.2.3 10.0.0.0/8 172.0.0.0/11
        172.31.0.0/16 192.168.255.255 100.127.255.255 fd00::/48
      `),
  ],
  [
    'a block with host bits set',
    /^has host bits set: write [\d.]+ for this address alone, or 192\.31\.196\.128\/25 for the whole block$/,
    ['192.31.196.129/25'],
  ],
])('validateEntry refuses %s', (_what, problem, texts) => {
  const refusal = { problem: expect.stringMatching(problem) };
  for (const text of texts) expect([text, validateEntry(text)]).toEqual([text, refusal]);
});

const wide = 'is a wide block: write a narrower one if that covers the source';

it.each<[what: string, change: { entry?: string; warning?: string }, texts: string[]]>([
  [
    'public addresses and narrow blocks as they are',
    {},
    textsIn('192.175.48.0/24 192.52.193.1 2001:4:112::/48 17.2.0.0/16 2600:1000::/32'),
  ],
  ['a block of one IPv4 address as that address', { entry: '192.31.196.7' }, ['192.31.196.7/32']],
  [
    'an IPv6 address in its shortest form',
    { entry: '2001:4:112::a' },
    ['2001:0004:112:0::A', '2001:4:112::a/128'],
  ],
  [
    'a wide block with a warning',
    { warning: wide },
    textsIn('17.0.0.0/8 17.2.0.0/15 2600:1000::/20 2600:1000::/31'),
  ],
])('validateEntry accepts %s', (_what, change, texts) => {
  for (const text of texts) {
    expect([text, validateEntry(text)]).toEqual([text, { entry: text, ...change }]);
  }
});

it('validateEntry advises only what it accepts, and accepts its own entries unchanged', () => {
  const addresses = fc.oneof(fc.ipV4(), fc.ipV6());
  const blocks = fc.tuple(addresses, fc.nat(140)).map((parts) => parts.join('/'));
  const letters = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef.:/% ')) });
  fc.assert(
    fc.property(fc.oneof(addresses, blocks, letters), (text) => {
      const outcome = validateEntry(text);
      const entry = 'entry' in outcome ? outcome.entry : / write (\S+)$/.exec(outcome.problem)?.[1];
      if (entry !== undefined) expect(validateEntry(entry)).toHaveProperty('entry', entry);
    }),
    { numRuns: 5000 },
  );
});
