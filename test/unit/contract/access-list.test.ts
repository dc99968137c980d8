import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { checkEntry, type CheckedEntry } from '../../../src/contract/access-list';
import { ANY_CHARACTER } from '../../support/any-character';

/** The text that a problem advises, where it names one. */
function adviceOf(checked: CheckedEntry): string | null {
  return ('problem' in checked && /: write (\S+)$/.exec(checked.problem)?.[1]) || null;
}

/** What Atlas is sent for a text; null when it is refused. */
function entryOf(text: string): string | null {
  const checked = checkEntry(text);
  return 'entry' in checked ? checked.entry : null;
}

const NOT_ADDRESSES = `
  db.example.com anywhere 192.31.196.7:27017 [2001:4:112::1]:27017 [2001:4:112::1] https://192.31.196.7
  192.31.196.1-192.31.196.9 192.31.196.1,192.31.196.9 192.31.196 192.31.196.7.1 192.31.196.256 3223307271
  0xc0.31.196.7 2001::4:112::1 2001:4:112::00001 /24 192.31.196.0/24/24 %eth0 192.31.196.7\0 2001:4:112::010.0.0.1`;

const REFUSED: [what: string, text: string, problem: RegExp, advice?: string][] = [
  ['nothing', '', /^is empty: remove it$/],
  ['only white space', ' \t', /^is empty: remove it$/],
  ['a line end', '192.31.196.7\r\n', /white space/, '192.31.196.7'],
  ['a space before the mask', '192.31.196.0 /24', /white space/, '192.31.196.0/24'],
  ['a no-break space', '192.31.196.7\u00a0', /white space/, '192.31.196.7'],
  ['two addresses in one', '192.31.196.7 192.31.196.8', /white space, and \S+ is neither/],

  ['leading zeros', '192.031.196.007', /leading zeros/, '192.31.196.7'],
  ['leading zeros in a block', '192.31.196.00/24', /leading zeros/, '192.31.196.0/24'],
  ['leading zeros in a mask', '192.31.196.0/024', /leading zeros/, '192.31.196.0/24'],
  ['leading zeros, then bits set', '010.1.2.3/24', /leading zeros.* and 10\.1\.2\.3\/24/, '10.1.2.0/24'],

  ['bits set below the mask', '10.1.2.3/24', /has host bits set/, '10.1.2.0/24'],
  ['one bit set below the mask', '192.31.196.129/25', /bits set/, '192.31.196.128/25'],
  ['bits set below an IPv6 mask', '2001:4:112::1/64', /bits set/, '2001:4:112::/64'],
  ['bits set in a block of loopback', '127.0.0.1/8', /bits set.* and 127\.0\.0\.0\/8 includes 127/],

  ['a mask out of range', '192.31.196.0/33', /out of range: write 192\.31\.196\.0\/ and .* from 1 to 32$/],
  ['an IPv6 mask out of range', '2001:4:112::/129', /from 1 to 128$/],
  ['no mask behind the slash', '192.31.196.0/', /has a prefix length out of range/],
  ['a negative mask', '192.31.196.0/-1', /has a prefix length out of range/],
  ['a mask with an exponent', '192.31.196.0/1e1', /has a prefix length out of range/],
  ['a dotted netmask', '192.31.196.0/255.255.255.0', /has a dotted netmask/, '192.31.196.0/24'],
  ['a dotted netmask, and bits set', '192.31.196.7/255.255.255.0', /has a dotted netmask/, '192.31.196.0/24'],
  ['a dotted netmask with a hole', '192.31.196.0/255.0.255.0', /has a prefix length out of range/],
  ['a dotted netmask that is 0', '192.31.196.0/0.0.0.0', /has a dotted netmask.* lets in the whole Internet/],
  ['a dotted netmask behind IPv6', '2001:4:112::/255.255.255.0', /has a prefix length out of range/],

  ['IPv4-mapped IPv6', '::ffff:192.31.196.7', /IPv4-mapped/, '192.31.196.7'],
  ['IPv4-mapped IPv6 in hexadecimal', '::FFFF:c01f:c407', /IPv4-mapped/, '192.31.196.7'],
  ['an IPv4-mapped block', '::ffff:192.31.196.0/120', /IPv4-mapped/, '192.31.196.0/24'],
  ['an IPv4-mapped block with bits set', '::ffff:192.31.196.7/120', /IPv4-mapped/, '192.31.196.0/24'],
  ['IPv4-mapped loopback', '::ffff:127.0.0.1', /IPv4-mapped.* and 127\.0\.0\.1 includes 127/],
  ['all IPv4-mapped addresses', '::ffff:0:0/96', /IPv4-mapped.* lets in the whole Internet/],

  ['a zone id', '2001:4:112::1%eth0', /zone id/, '2001:4:112::1'],
  ['a zone id before a mask', '2001:4:112::%1/64', /zone id/, '2001:4:112::/64'],
  ['zone ids on both sides of the mask', '2001:4:112::%a/48%b', /zone id/, '2001:4:112::/48'],
  ['a link-local address with a zone id', 'fe80::1%eth0', /zone id.* and fe80::1 includes fe80/],

  ['all of IPv4', '0.0.0.0/0', /^lets in the whole Internet/],
  ['all of IPv4 by another name', '192.31.196.7/0', /^lets in the whole Internet/],
  ['all of IPv6', '::/0', /^lets in the whole Internet/],
  ['half of IPv4', '0.0.0.0/1', /^is too wide .*: write the public .* or a block of \/16 or narrower$/],
  ['a /7 of IPv4', '16.0.0.0/7', /^is too wide to be a source/],
  ['half of IPv6', '8000::/1', /^is too wide .* or a block of \/32 or narrower$/],
  ['a /19 of IPv6', '2600:2000::/19', /^is too wide to be a source/],
  ['all unique local addresses', 'fc00::/7', /^is too wide to be a source/],
  [
    'link-local',
    '169.254.169.254',
    /^includes 169\.254\.0\.0\/16 \(link-local, RFC 3927\), which is never a source: write the public address that the source connects from$/,
  ],
];

const ACCEPTED: [what: string, text: string, entry: string][] = [
  ['an address', '192.31.196.7', '192.31.196.7'],
  ['a block', '192.31.196.0/24', '192.31.196.0/24'],
  ['a block of one', '192.31.196.7/32', '192.31.196.7'],
  ['an octet of 0', '192.31.0.7', '192.31.0.7'],
  ['IPv6 in its longest form', '2001:0004:0112:0000:0001:0000:0000:0001', '2001:4:112:0:1::1'],
  ['IPv6 in capitals', '2001:4:112::A', '2001:4:112::a'],
  ['an IPv6 block', '2001:4:112:0::/48', '2001:4:112::/48'],
  ['an IPv6 block of one', '2001:4:112::1/128', '2001:4:112::1'],
  ['IPv6 with dots at the end', '2001:4:112::192.31.196.7', '2001:4:112::c01f:c407'],
  ['the widest block without a warning', '17.2.0.0/16', '17.2.0.0/16'],
  ['the same of IPv6', '2600:1000::/32', '2600:1000::/32'],
];

const PRIVATE_10 = 'includes 10.0.0.0/8 (private, RFC 1918)';
const PEERING = 'Atlas sees it only over a peering or a private endpoint';
const WIDE = 'is a wide block: write a narrower one if that covers the source';

const WARNED: [what: string, text: string, warning: string][] = [
  ['a private address', '10.1.2.3', `${PRIVATE_10}: ${PEERING}`],
  ['a private block', '172.31.0.0/16', `includes 172.16.0.0/12 (private, RFC 1918): ${PEERING}`],
  ['carrier-grade NAT', '100.64.0.1', `includes 100.64.0.0/10 (carrier-grade NAT, RFC 6598): ${PEERING}`],
  ['unique local IPv6', 'fd00::/48', `includes fc00::/7 (unique local, RFC 4193): ${PEERING}`],
  ['a /8 of IPv4', '17.0.0.0/8', WIDE],
  ['a /15 of IPv4', '17.2.0.0/15', WIDE],
  ['a /20 of IPv6', '2600:1000::/20', WIDE],
  ['a /31 of IPv6', '2600:1000::/31', WIDE],
  ['all of 10/8', '10.0.0.0/8', `${PRIVATE_10}: ${PEERING}; ${WIDE}`],
  ['a wider block', '172.0.0.0/8', `includes 172.16.0.0/12 (private, RFC 1918): ${PEERING}; ${WIDE}`],
];

/** IANA's registries as of October 2025, every line, with what it says of global reachability; then what others say. */
const NOT_REACHABLE = `
  0.0.0.0/8 0.0.0.0/32 127.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.0.0/29 192.0.0.8/32 192.0.0.170/32
  192.0.0.171/32 192.0.2.0/24 192.88.99.0/24 192.88.99.2/32 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
  255.255.255.255/32
  ::1/128 ::/128 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:2::/48 2001:10::/28 2001:db8::/32
  2002::/16 3fff::/20 5f00::/16 fe80::/10
  224.0.0.0/4 ::/96 fec0::/10 ff00::/8`;
const PRIVATE = '10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16 fc00::/7';
const REACHABLE = `
  192.0.0.9/32 192.0.0.10/32 192.31.196.0/24 192.52.193.0/24 192.175.48.0/24
  64:ff9b::/96 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:3::/32 2001:4:112::/48 2001:20::/28 2001:30::/28
  2620:4f:8000::/48`;

interface Range {
  first: bigint;
  last: bigint;
  /** Of an address. */
  bits: number;
}

/** A block as numbers. */
function toRange(cidr: string): Range {
  const [text = '', mask] = cidr.split('/');
  const bytes = ipaddr.parse(text).toByteArray();
  const first = bytes.reduce((sum, byte) => (sum << 8n) + BigInt(byte), 0n);
  const bits = bytes.length * 8;
  return { first, last: first + (1n << BigInt(bits - Number(mask ?? bits))) - 1n, bits };
}

function toAddress(value: bigint, bits: number): string {
  const bytes = Array.from({ length: bits / 8 }, (_, i) =>
    Number((value >> BigInt(bits - 8 - 8 * i)) & 255n),
  );
  const address = ipaddr.fromByteArray(bytes);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** The block of that size around an address. */
function toBlock(value: bigint, bits: number, prefixLength: number): string {
  const host = BigInt(bits - prefixLength);
  return `${toAddress((value >> host) << host, bits)}/${prefixLength}`;
}

const textsOf = (list: string) => list.trim().split(/\s+/);
const toRanges = (list: string) => textsOf(list).map((cidr) => ({ cidr, ...toRange(cidr) }));

function isWithin(list: string, value: bigint, bits: number): boolean {
  return toRanges(list).some((range) => range.bits === bits && range.first <= value && value <= range.last);
}

/** The first and the last address of a block, and their neighbours outside of it. */
function edgesOf({ first, last, bits }: Range): bigint[] {
  return [first - 1n, first, last, last + 1n].filter((value) => value >= 0n && value < 1n << BigInt(bits));
}

describe('of the special-purpose registries, checkEntry', () => {
  it.each(toRanges([NOT_REACHABLE, PRIVATE, REACHABLE].join(' ')))(
    'classifies the edges of $cidr as they are registered',
    (range) => {
      for (const value of edgesOf(range)) {
        const isIn = (list: string) => isWithin(list, value, range.bits);
        const address = toAddress(value, range.bits);
        const checked = checkEntry(address);
        if (isIn(NOT_REACHABLE) && !isIn(REACHABLE))
          expect(checked).toHaveProperty('problem', expect.stringContaining('which is never a source'));
        else expect(checked).toHaveProperty('entry', address);
        expect('warning' in checked).toBe(isIn(PRIVATE));
      }
    },
  );

  it.each(toRanges(NOT_REACHABLE))(
    'refuses $cidr, and every block that contains it',
    ({ cidr, first, bits }) => {
      for (let length = Number(cidr.split('/')[1]); length > 0; length -= 1)
        expect(checkEntry(toBlock(first, bits, length))).toHaveProperty('problem');
    },
  );

  it('refuses a block of which only a part is globally reachable', () => {
    expect(checkEntry('192.0.0.8/30')).toHaveProperty('problem');
    expect(checkEntry('2001:4::/32')).toHaveProperty('problem');
  });
});

describe('checkEntry', () => {
  it.each(textsOf(NOT_ADDRESSES))('refuses %j, which is neither an address nor a block', (text) => {
    const problem = expect.stringMatching(/^is neither an address nor a CIDR block/) as unknown;
    expect(checkEntry(text)).toEqual({ problem });
  });

  it.each(REFUSED.map(([what, text, problem, advice = null]) => [what, text, problem, advice] as const))(
    'refuses %s: %j',
    (_what, text, problem, advice) => {
      const checked = checkEntry(text);
      expect(checked).toEqual({ problem: expect.stringMatching(problem) as unknown });
      expect(adviceOf(checked)).toBe(advice);
      if (advice !== null) expect(entryOf(advice)).toBe(advice);
    },
  );

  it.each(ACCEPTED)('accepts %s', (_what, text, entry) => {
    expect(checkEntry(text)).toEqual({ entry });
  });

  it.each(WARNED)('accepts with a warning: %s', (_what, text, warning) => {
    expect(checkEntry(text)).toEqual({ entry: text, warning });
  });

  it.each([`1${'%/'.repeat(500_000)}`, '0.'.repeat(500_000), ':'.repeat(1e6), ' 1'.repeat(500_000)])(
    'says no more than a line of a text of a megabyte (%#)',
    (text) => {
      const checked = checkEntry(text);
      expect('problem' in checked && checked.problem.length).toBeLessThan(300);
    },
  );
});

const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }).map((parts) => parts.join('.'));
const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
const inHexadecimal = (parts: number[]) => parts.map((part) => part.toString(16)).join(':');

const special = fc.constantFrom('::ffff:10.1.2.3', '::', '0.0.0.0', 'fe80::1%eth0', '255.255.255.255');
const mask = fc.oneof(
  fc.constant(''),
  fc.nat(140).map((n) => `/${n}`),
  octets.map((netmask) => `/${netmask}`),
);
const pieces = fc.constantFrom('0', '00', ' ', '.', ':', '/', '%', '\t', 'f', '-', '255');
const mangled = fc
  .tuple(
    fc.oneof(octets, groups.map(inHexadecimal), fc.ipV6(), special),
    mask,
    fc.array(fc.tuple(fc.nat(60), pieces), { maxLength: 3 }),
  )
  .map(([address, mask, insertions]) =>
    insertions.reduce((text, [at, piece]) => text.slice(0, at) + piece + text.slice(at), address + mask),
  );
const letters = fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:/% '.split('')) });

describe('for any text, checkEntry', () => {
  it.each([
    ['mangled addresses', mangled],
    ['strings', fc.string({ unit: ANY_CHARACTER })],
    ['strings of the letters of addresses', letters],
  ])('advises only what it accepts, and accepts its own entries unchanged: %s', (_what, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        const checked = checkEntry(text);
        const settled = 'entry' in checked ? checked.entry : adviceOf(checked);
        return settled === null || entryOf(settled) === settled;
      }),
      { numRuns: 3000 },
    );
  });
});

describe('any public address or block whose bits below the mask are clear is accepted', () => {
  /** Addresses of which every block of at least 8 or 20 bits is free of refused ones. */
  const publicIpv4 = fc
    .bigInt({ min: 0n, max: (224n << 24n) - 1n })
    .filter((value) => ![0n, 127n, 169n, 192n, 198n, 203n].includes(value >> 24n));
  const publicIpv6 = groups.map(([, ...rest]) => [0x2600, ...rest]);
  const lengths = fc.integer({ min: 8, max: 31 });

  it('in IPv4, as it is', () => {
    fc.assert(
      fc.property(publicIpv4, lengths, (value, length) => {
        for (const text of [toBlock(value, 32, length), toAddress(value, 32)])
          expect(entryOf(text)).toBe(text);
      }),
    );
  });

  it('in IPv6, as the same block', () => {
    fc.assert(
      fc.property(publicIpv6, fc.integer({ min: 20, max: 128 }), (parts, length) => {
        const kept = parts.map((part, i) => part & ~(0xffff >> Math.min(16, Math.max(0, length - 16 * i))));
        const [address = '', mask = '128'] = entryOf(`${inHexadecimal(kept)}/${length}`)?.split('/') ?? [];
        expect(`[${address}]`).toBe(new URL(`http://[${inHexadecimal(kept)}]`).hostname);
        expect(Number(mask)).toBe(length);
      }),
    );
  });

  it('and with bits set below the mask, the advice is that block', () => {
    fc.assert(
      fc.property(publicIpv4, lengths, (value, length) => {
        const text = `${toAddress(value, 32)}/${length}`;
        fc.pre(text !== toBlock(value, 32, length));
        expect(adviceOf(checkEntry(text))).toBe(toBlock(value, 32, length));
      }),
    );
  });
});
