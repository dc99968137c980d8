import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { judgeEntry, type EntryVerdict } from '../../../src/contract/access-list';

const NOT_AN_ADDRESS = /^is neither an address nor a CIDR block/;

/** The text that a problem advises, where it names one. */
function adviceOf(verdict: EntryVerdict): string | null {
  return ('problem' in verdict && /: write (\S+)$/.exec(verdict.problem)?.[1]) || null;
}

/** What Atlas is sent for a text; null when it is refused. */
function entryOf(text: string): string | null {
  const verdict = judgeEntry(text);
  return 'entry' in verdict ? verdict.entry : null;
}

const REFUSED: [what: string, text: string, problem: RegExp, advice?: string][] = [
  ['a host name', 'db.example.com', NOT_AN_ADDRESS],
  ['a bare word', 'anywhere', NOT_AN_ADDRESS],
  ['a port', '192.31.196.7:27017', NOT_AN_ADDRESS],
  ['a port behind IPv6', '[2001:4:112::1]:27017', NOT_AN_ADDRESS],
  ['brackets', '[2001:4:112::1]', NOT_AN_ADDRESS],
  ['a URL', 'https://192.31.196.7', NOT_AN_ADDRESS],
  ['a range', '192.31.196.1-192.31.196.9', NOT_AN_ADDRESS],
  ['a list', '192.31.196.1,192.31.196.9', NOT_AN_ADDRESS],
  ['three parts', '192.31.196', NOT_AN_ADDRESS],
  ['five parts', '192.31.196.7.1', NOT_AN_ADDRESS],
  ['an octet too large', '192.31.196.256', NOT_AN_ADDRESS],
  ['a number', '3223307271', NOT_AN_ADDRESS],
  ['hexadecimal IPv4', '0xc0.31.196.7', NOT_AN_ADDRESS],
  ['two gaps in IPv6', '2001::4:112::1', NOT_AN_ADDRESS],
  ['a group too long', '2001:4:112::00001', NOT_AN_ADDRESS],
  ['a mask alone', '/24', NOT_AN_ADDRESS],
  ['two masks', '192.31.196.0/24/24', NOT_AN_ADDRESS],
  ['a zone on nothing', '%eth0', NOT_AN_ADDRESS],
  ['a control character', '192.31.196.7\0', NOT_AN_ADDRESS],
  ['leading zeros inside IPv6', '2001:4:112::010.0.0.1', NOT_AN_ADDRESS],

  ['nothing', '', /^is empty: remove it$/],
  ['only white space', ' \t', /^is empty: remove it$/],
  ['a space in front', ' 192.31.196.7', /white space/, '192.31.196.7'],
  ['a line end', '192.31.196.7\r\n', /white space/, '192.31.196.7'],
  ['a space before the mask', '192.31.196.0 /24', /white space/, '192.31.196.0/24'],
  ['a no-break space', '192.31.196.7\u00a0', /white space/, '192.31.196.7'],
  ['two addresses in one', '192.31.196.7 192.31.196.8', /white space, and \S+ is neither/],

  ['leading zeros', '192.031.196.007', /leading zeros/, '192.31.196.7'],
  ['leading zeros in a block', '192.31.196.00/24', /leading zeros/, '192.31.196.0/24'],
  ['leading zeros in a mask', '192.31.196.0/024', /leading zeros/, '192.31.196.0/24'],
  ['leading zeros, then bits set', '010.1.2.3/24', /leading zeros.* and 10\.1\.2\.3\/24/, '10.1.2.0/24'],

  ['bits set below the mask', '10.1.2.3/24', /has bits set below its mask/, '10.1.2.0/24'],
  ['one bit set below the mask', '192.31.196.129/25', /bits set/, '192.31.196.128/25'],
  ['bits set below an IPv6 mask', '2001:4:112::1/64', /bits set/, '2001:4:112::/64'],
  ['bits set in a block of loopback', '127.0.0.1/8', /bits set.* and 127\.0\.0\.0\/8 takes in loopback/],

  [
    'a mask out of range',
    '192.31.196.0/33',
    /mask out of range: write 192\.31\.196\.0\/ and a number from 1 to 32$/,
  ],
  ['an IPv6 mask out of range', '2001:4:112::/129', /from 1 to 128$/],
  ['no mask behind the slash', '192.31.196.0/', /mask out of range/],
  ['a negative mask', '192.31.196.0/-1', /mask out of range/],
  ['a mask with an exponent', '192.31.196.0/1e1', /mask out of range/],
  ['a mask in dots', '192.31.196.0/255.255.255.0', /mask in dots/, '192.31.196.0/24'],
  ['a mask in dots, and bits set', '192.31.196.7/255.255.255.0', /mask in dots/, '192.31.196.0/24'],
  ['a mask in dots with a hole', '192.31.196.0/255.0.255.0', /mask out of range/],
  ['a mask in dots that is 0', '192.31.196.0/0.0.0.0', /mask in dots.* lets in the whole Internet/],
  ['a mask in dots behind IPv6', '2001:4:112::/255.255.255.0', /mask out of range/],

  ['IPv4-mapped IPv6', '::ffff:192.31.196.7', /IPv4-mapped/, '192.31.196.7'],
  ['IPv4-mapped IPv6 in hexadecimal', '::FFFF:c01f:c407', /IPv4-mapped/, '192.31.196.7'],
  ['an IPv4-mapped block', '::ffff:192.31.196.0/120', /IPv4-mapped/, '192.31.196.0/24'],
  ['an IPv4-mapped block with bits set', '::ffff:192.31.196.7/120', /IPv4-mapped/, '192.31.196.0/24'],
  ['IPv4-mapped loopback', '::ffff:127.0.0.1', /IPv4-mapped.* and 127\.0\.0\.1 takes in loopback/],
  ['all IPv4-mapped addresses', '::ffff:0:0/96', /IPv4-mapped.* lets in the whole Internet/],

  ['a zone id', '2001:4:112::1%eth0', /zone id/, '2001:4:112::1'],
  ['a zone id before a mask', '2001:4:112::%1/64', /zone id/, '2001:4:112::/64'],
  ['zone ids on both sides of the mask', '2001:4:112::%a/48%b', /zone id/, '2001:4:112::/48'],
  ['a link-local address with a zone id', 'fe80::1%eth0', /zone id.* and fe80::1 takes in link-local/],

  ['all of IPv4', '0.0.0.0/0', /^lets in the whole Internet/],
  ['all of IPv4 by another name', '192.31.196.7/0', /^lets in the whole Internet/],
  ['all of IPv6', '::/0', /^lets in the whole Internet/],
  ['half of IPv4', '0.0.0.0/1', /unspecified addresses \(0\.0\.0\.0\/8\)/],
  ['the other half of IPv4', '128.0.0.0/1', /link-local addresses/],
  ['half of IPv6', '8000::/1', /link-local addresses/],
  ['a quarter of IPv4 with loopback', '64.0.0.0/2', /loopback addresses \(127\.0\.0\.0\/8\)/],
  ['the unspecified address', '0.0.0.0', /unspecified/],
  ['the unspecified IPv6 address', '::', /unspecified/],
  ['the loopback address', '127.0.0.1', /loopback/],
  ['any loopback address', '127.255.255.254', /loopback/],
  ['the IPv6 loopback address', '::1', /loopback/],
  ['a block with IPv6 loopback in it', '::/64', /unspecified|loopback/],
  ['a link-local address', '169.254.169.254', /link-local/],
  ['a block around link-local', '169.254.0.0/15', /link-local/],
  ['a link-local IPv6 address', 'fe80::1', /link-local/],
  ['the top of link-local IPv6', 'febf::1', /link-local/],
  ['a multicast address', '224.0.0.1', /multicast/],
  ['the top of multicast', '239.255.255.255', /multicast/],
  ['an IPv6 multicast address', 'ff02::1', /multicast/],
  ['a block around multicast', 'fe00::/7', /link-local|multicast/],
  ['the broadcast address', '255.255.255.255', /broadcast/],
];

const ACCEPTED: [what: string, text: string, entry: string][] = [
  ['an address', '192.31.196.7', '192.31.196.7'],
  ['a block', '192.31.196.0/24', '192.31.196.0/24'],
  ['a block of one', '192.31.196.7/32', '192.31.196.7'],
  ['an octet of 0', '192.31.0.7', '192.31.0.7'],
  ['the address below loopback', '126.255.255.255', '126.255.255.255'],
  ['the address above loopback', '128.0.0.0', '128.0.0.0'],
  ['the address below multicast', '223.255.255.255', '223.255.255.255'],
  ['IPv6 in its longest form', '2001:0004:0112:0000:0001:0000:0000:0001', '2001:4:112:0:1::1'],
  ['IPv6 in capitals', '2001:4:112::A', '2001:4:112::a'],
  ['an IPv6 block', '2001:4:112:0::/48', '2001:4:112::/48'],
  ['an IPv6 block of one', '2001:4:112::1/128', '2001:4:112::1'],
  ['IPv6 with dots at the end', '2001:4:112::192.31.196.7', '2001:4:112::c01f:c407'],
  ['IPv6 just below link-local', 'fe7f:ffff::1', 'fe7f:ffff::1'],
];

const WARNED: [what: string, text: string, words: RegExp][] = [
  ['10/8', '10.1.2.3', /private addresses \(10\.0\.0\.0\/8\)/],
  ['172.16/12', '172.31.0.0/16', /private addresses \(172\.16\.0\.0\/12\)/],
  ['192.168/16', '192.168.1.1', /private addresses/],
  ['a block around 10/8', '8.0.0.0/6', /private addresses/],
  ['carrier-grade NAT', '100.64.0.1', /carrier-grade NAT/],
  ['unique local IPv6', 'fd00::1', /unique local/],
];

const NOT_WARNED = [
  '9.255.255.255',
  '11.0.0.0',
  '172.15.0.1',
  '172.32.0.1',
  '192.169.0.1',
  '100.128.0.1',
  'fbff::1',
];

describe('judgeEntry', () => {
  it.each(REFUSED.map(([what, text, problem, advice = null]) => [what, text, problem, advice] as const))(
    'refuses %s: %j',
    (_what, text, problem, advice) => {
      const verdict = judgeEntry(text);
      expect(verdict).toEqual({ problem: expect.stringMatching(problem) as unknown });
      expect(adviceOf(verdict)).toBe(advice);
    },
  );

  it.each(REFUSED.filter(([, , , advice]) => advice))(
    'accepts, as it is, what it advises for %s',
    (_what, _text, _problem, advice = '') => {
      expect(judgeEntry(advice)).toMatchObject({ entry: advice });
    },
  );

  it.each(ACCEPTED)('accepts %s', (_what, text, entry) => {
    expect(judgeEntry(text)).toEqual({ entry });
  });

  it.each(WARNED)('accepts with a warning: %s', (_what, text, words) => {
    expect(judgeEntry(text)).toEqual({ entry: text, warning: expect.stringMatching(words) as unknown });
  });

  it.each(NOT_WARNED)('has no warning for %s, which is beside a private range', (text) => {
    expect(judgeEntry(text)).toEqual({ entry: text });
  });

  it('says no more than a line of a text of a megabyte', () => {
    for (const text of [
      `1${'%/'.repeat(500_000)}`,
      '0.'.repeat(500_000),
      ':'.repeat(1_000_000),
      ' 1'.repeat(500_000),
    ]) {
      const verdict = judgeEntry(text);
      expect('problem' in verdict && verdict.problem.length).toBeLessThan(300);
    }
  });
});

const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });

/** An address with the bits below the mask cleared, written in full. */
function ipv4Block(parts: number[], prefixLength: number): string {
  const value = parts.reduce((sum, part) => sum * 256 + part, 0);
  const network = value - (value % 2 ** (32 - prefixLength));
  return `${[24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256).join('.')}/${prefixLength}`;
}

function ipv6Block(parts: number[], prefixLength: number): string {
  const kept = parts.map((part, i) => {
    const bits = Math.min(16, Math.max(0, prefixLength - 16 * i));
    return part - (part % 2 ** (16 - bits));
  });
  return `${kept.map((part) => part.toString(16)).join(':')}/${prefixLength}`;
}

/** Public by the first part alone, for blocks of at least 8 and 16 bits. */
const publicIpv4 = octets.filter(([first = 0]) => first > 0 && first < 224 && first !== 127 && first !== 169);
const publicIpv6 = groups.map(([, ...rest]) => [0x2001, ...rest]);

const mangled = fc
  .tuple(
    fc.oneof(
      octets.map((parts) => parts.join('.')),
      groups.map((parts) => parts.map((part) => part.toString(16)).join(':')),
      fc.ipV6(),
      fc.constantFrom('::ffff:10.1.2.3', '::', '::1', '0.0.0.0', 'fe80::1%eth0', '255.255.255.255'),
    ),
    fc.oneof(
      fc.constant(''),
      fc.nat(140).map((n) => `/${n}`),
      octets.map((parts) => `/${parts.join('.')}`),
    ),
    fc.array(
      fc.tuple(fc.nat(60), fc.constantFrom('0', '00', ' ', '.', ':', '/', '%', '\t', 'f', '-', '255')),
      {
        maxLength: 3,
      },
    ),
  )
  .map(([address, mask, insertions]) =>
    insertions.reduce((text, [at, piece]) => text.slice(0, at) + piece + text.slice(at), address + mask),
  );

describe('for any text, judgeEntry', () => {
  it.each([
    ['mangled addresses', mangled],
    ['strings', fc.string({ unit: 'binary' })],
    [
      'strings of the letters of addresses',
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:/% '.split('')) }),
    ],
  ])('advises only what it accepts, and accepts its own entries unchanged: %s', (_what, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        const verdict = judgeEntry(text);
        const settled = 'entry' in verdict ? verdict.entry : adviceOf(verdict);
        return settled === null || entryOf(settled) === settled;
      }),
      { numRuns: 3000 },
    );
  });
});

describe('any public address or block whose bits below the mask are clear is accepted', () => {
  it('in IPv4, as it is', () => {
    fc.assert(
      fc.property(publicIpv4, fc.integer({ min: 8, max: 31 }), (parts, prefixLength) => {
        for (const text of [ipv4Block(parts, prefixLength), parts.join('.')])
          expect(entryOf(text)).toBe(text);
      }),
    );
  });

  it('in IPv6, as the same block', () => {
    fc.assert(
      fc.property(publicIpv6, fc.integer({ min: 16, max: 128 }), (parts, prefixLength) => {
        const verdict = judgeEntry(ipv6Block(parts, prefixLength));
        if (!('entry' in verdict)) throw new Error(verdict.problem);
        const [address = '', mask = '128'] = verdict.entry.split('/');
        expect(isIPv6(address)).toBe(true);
        expect(new URL(`http://[${address}]`).hostname).toBe(
          new URL(`http://[${ipv6Block(parts, prefixLength).split('/')[0] ?? ''}]`).hostname,
        );
        expect(Number(mask)).toBe(prefixLength);
      }),
    );
  });

  it('and with bits set below the mask, the advice is that block', () => {
    fc.assert(
      fc.property(publicIpv4, fc.integer({ min: 8, max: 31 }), (parts, prefixLength) => {
        const text = `${parts.join('.')}/${prefixLength}`;
        const block = ipv4Block(parts, prefixLength);
        fc.pre(text !== block);
        expect(adviceOf(judgeEntry(text))).toBe(block);
      }),
    );
  });
});
