import fc from 'fast-check';
import { checkEntry, type CheckedEntry } from '../../../src/checks/access-list';
import { ANY_CHARACTER } from '../../support/any-character';

/** The text that a problem advises, where it names one. */
function adviceIn(checked: CheckedEntry): string | null {
  return ('problem' in checked && /: write (\S+)$/.exec(checked.problem)?.[1]) || null;
}

const textsIn = (list: string) => list.trim().split(/\s+/);

/** Texts that are refused, by what the problem says. */
const REFUSED: [problem: RegExp, texts: string[]][] = [
  [
    /^is neither an address nor a CIDR block/,
    [
      ...['', ' \t', '192.31.196.7\r\n', '192.31.196.0 /24', '192.31.196.7\u00a0', '192.31.196.7\0'],
      ...textsIn(`db.example.com anywhere 192.31.196.7:27017 [2001:4:112::1]:27017 [2001:4:112::1]
        https://192.31.196.7 192.31.196.1-192.31.196.9 192.31.196.1,192.31.196.9 192.31.196 1.2 3223307271
        192.31.196.7.1 192.31.196.256 0xc0.31.196.7 010.0.0.1 192.031.196.007 192.31.196.00/24 192.31.196.0/024
        2001::4:112::1 2001:4:112::00001 2001:4:112::010.0.0.1 2001:4:112::1%eth0 2001:4:112::%1/64 %eth0
        /24 192.31.196.0/ 192.31.196.0/24/24 192.31.196.0/33 192.31.196.0/-1 192.31.196.0/1e1
        192.31.196.0/255.255.255.0 2001:4:112::/129`),
    ],
  ],
  [
    /^is an IPv4-mapped IPv6 address: write the IPv4 address or block itself$/,
    ['::ffff:192.31.196.7', '::FFFF:c01f:c407', '::ffff:192.31.196.0/120', '::ffff:0:0/96'],
  ],
  [/^lets in the whole Internet: write the public/, ['0.0.0.0/0', '192.31.196.7/0', '::/0']],
  [/^is too wide .*, or a block of \/16 or narrower$/, ['0.0.0.0/1', '16.0.0.0/7']],
  [/^is too wide .*, or a block of \/32 or narrower$/, ['8000::/1', '2600:2000::/19', 'fc00::/7']],
  [
    /^is in a range that is never a source \(\w+\): write the public address that the source connects from$/,
    textsIn(`0.0.0.0 0.0.0.0/8 0.255.255.255 127.0.0.1 127.0.0.1/8 169.254.169.254 192.0.0.0/24 192.0.2.1
      192.88.99.1 198.18.0.0/15 198.19.255.255 198.51.100.7 203.0.113.0/24 224.0.0.1 239.255.255.255 240.0.0.1
      255.255.255.255 192.0.0.0/8 203.0.112.0/23
      :: ::1 ::ffff:0:192.31.196.7 64:ff9b::1 64:ff9b:1::1 100::1 2001::1 2001:2::1 2001:10::1 2001:db8::/32 2002::1
      3fff::1 5f00::1 fe80::1 fec0::1 ff02::1`),
  ],
  [/^has host bits set: write 10\.1\.2\.0\/24$/, ['10.1.2.3/24']],
  [/^has host bits set: write 192\.31\.196\.128\/25$/, ['192.31.196.129/25']],
  [/^has host bits set: write 2001:4:112::\/64$/, ['2001:4:112::1/64']],
];

/** Texts that are accepted, by what Atlas is sent for them. */
const ACCEPTED: [entry: string, texts: string[]][] = [
  ['192.31.196.7', ['192.31.196.7', '192.31.196.7/32']],
  ['192.31.196.0/24', ['192.31.196.0/24']],
  ['192.175.48.0/24', ['192.175.48.0/24']],
  ['192.52.193.1', ['192.52.193.1']],
  ['192.31.0.7', ['192.31.0.7']],
  ['2001:4:112:0:1::1', ['2001:0004:0112:0000:0001:0000:0000:0001']],
  ['2001:4:112::a', ['2001:4:112::A', '2001:4:112::a/128']],
  ['2001:4:112::/48', ['2001:4:112:0::/48']],
  ['2001:4:112::c01f:c407', ['2001:4:112::192.31.196.7']],
  ['17.2.0.0/16', ['17.2.0.0/16']],
  ['2600:1000::/32', ['2600:1000::/32']],
];

const peering = (range: string) =>
  `is in a range (${range}) that Atlas sees only over a peering or a private endpoint`;
const WIDE = 'is a wide block: write a narrower one if that covers the source';

const WARNED: [warning: string, texts: string[]][] = [
  [peering('private'), ['10.1.2.3', '172.16.0.0', '172.31.0.0/16', '192.168.255.255']],
  [peering('carrierGradeNat'), ['100.64.0.1', '100.127.255.255']],
  [peering('uniqueLocal'), ['fd00::/48']],
  [WIDE, ['17.0.0.0/8', '17.2.0.0/15', '172.0.0.0/8', '2600:1000::/20', '2600:1000::/31']],
  [`${peering('private')}; ${WIDE}`, ['10.0.0.0/8']],
];

const rows = <T>(table: readonly (readonly [T, string[]])[]) =>
  table.flatMap(([expected, texts]) => texts.map((text) => [text, expected] as const));

describe('checkEntry', () => {
  it.each(rows(REFUSED))('refuses %j, which %s', (text, problem) => {
    expect(checkEntry(text)).toEqual({ problem: expect.stringMatching(problem) });
  });

  it.each(rows(ACCEPTED))('accepts %j as %s', (text, entry) => {
    expect(checkEntry(text)).toEqual({ entry });
  });

  it.each(rows(WARNED))('accepts %j, which %s', (text, warning) => {
    expect(checkEntry(text)).toEqual({ entry: text, warning });
  });

  it.each(['0.'.repeat(500_000), ':'.repeat(1e6)])('says no more than a line of a megabyte (%#)', (text) => {
    const checked = checkEntry(text);
    expect('problem' in checked && checked.problem.length).toBeLessThan(300);
  });
});

const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
const ipv6 = groups.map((parts) => parts.map((part) => part.toString(16)).join(':'));
const ipv4 = octets.map((parts) => parts.join('.'));
const mask = fc
  .option(fc.nat(140), { nil: undefined })
  .map((length) => (length === undefined ? '' : `/${length}`));
const letters = fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:/% '.split('')) });

describe('for any text, checkEntry', () => {
  it.each([
    ['addresses and blocks', fc.tuple(fc.oneof(ipv4, ipv6, fc.ipV6()), mask).map((parts) => parts.join(''))],
    ['strings', fc.string({ unit: ANY_CHARACTER })],
    ['strings of the letters of addresses', letters],
  ])('advises only what it accepts, and accepts its own entries unchanged: %s', (_what, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        const checked = checkEntry(text);
        const settled = 'entry' in checked ? checked.entry : adviceIn(checked);
        if (settled !== null) expect(checkEntry(settled)).toHaveProperty('entry', settled);
      }),
      { numRuns: 3000 },
    );
  });

  it('accepts a public block whose bits below the mask are clear, and else advises it', () => {
    const lengths = fc.integer({ min: 8, max: 31 });
    // From 11.0.0.0 to 99.255.255.255 every address is public.
    fc.assert(
      fc.property(fc.integer({ min: 11 << 24, max: (100 << 24) - 1 }), lengths, (address, length) => {
        const network = address & (-1 << (32 - length));
        const [given, block] = [address, network].map((value) => {
          const parts = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
          return `${parts.join('.')}/${length}`;
        });
        expect(checkEntry(block ?? '')).toHaveProperty('entry', block);
        if (given !== block) expect(adviceIn(checkEntry(given ?? ''))).toBe(block);
      }),
    );
  });

  it('writes IPv6 as URLs do', () => {
    fc.assert(
      fc.property(groups, ([, ...rest]) => {
        const text = [0x2600, ...rest].map((part) => part.toString(16)).join(':');
        expect(`[${String(checkEntry(text)['entry' as never])}]`).toBe(new URL(`http://[${text}]`).hostname);
      }),
    );
  });
});
