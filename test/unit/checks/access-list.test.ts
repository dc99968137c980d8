import fc from 'fast-check';
import { checkEntry, type CheckedEntry } from '../../../src/checks/access-list';
import { ANY_CHARACTER } from '../../support/any-character';

const textsIn = (list: string) => list.trim().split(/\s+/);

/** Texts that are refused, by what the problem says. */
const REFUSED: [problem: RegExp, texts: string[]][] = [
  [
    /^is neither an address nor a CIDR block/,
    [
      ...['', ' \t', '192.31.196.7\r\n', '192.31.196.0 /24', '192.31.196.7\u00a0', '192.31.196.7\0'],
      ...textsIn(`db.example.com 192.31.196.7:27017 [2001:4:112::1]:27017 [2001:4:112::1] https://192.31.196.7
        192.31.196.1-192.31.196.9 192.31.196.1,192.31.196.9 192.31.196 1.2 3223307271 192.31.196.7.1 192.31.196.256
        0xc0.31.196.7 010.0.0.1 192.31.196.0/024 2001::4:112::1 2001:4:112::010.0.0.1 2001:4:112::1%eth0
        /24 192.31.196.0/ 192.31.196.0/24/24 192.31.196.0/33 192.31.196.0/-1 192.31.196.0/1e1
        192.31.196.0/255.255.255.0 2001:4:112::/129`),
    ],
  ],
  [
    /^is an IPv4-mapped IPv6 address: write the IPv4 address or block itself$/,
    ['::ffff:192.31.196.7', '::ffff:192.31.196.0/120', '::ffff:0:0/96'],
  ],
  [/^lets in the whole Internet: write the public/, ['0.0.0.0/0', '192.31.196.7/0', '::/0']],
  [/^is too wide .*, or a block of \/16 or narrower$/, ['16.0.0.0/7']],
  [/^is too wide .*, or a block of \/32 or narrower$/, ['2600:2000::/19']],
  [
    /^is in a range that is never a source \(\w+\): write the public address that the source connects from$/,
    textsIn(`0.0.0.0 127.0.0.1/8 169.254.169.254 192.0.0.0/24 192.0.2.1 192.88.99.1 198.18.0.0/15 198.51.100.7
      203.0.113.0/24 224.0.0.1 240.0.0.1 255.255.255.255 192.0.0.0/8 203.0.112.0/23
      :: ::1 ::ffff:0:192.31.196.7 64:ff9b::1 64:ff9b:1::1 100::1 2001::1 2001:2::1 2001:10::1 2001:db8::/32 2002::1
      3fff::1 5f00::1 fe80::1 fec0::1 ff02::1`),
  ],
  [/^has host bits set: write 10\.1\.2\.0\/24$/, ['10.1.2.3/24']],
  [/^has host bits set: write 192\.31\.196\.128\/25$/, ['192.31.196.129/25']],
  [/^has host bits set: write 2001:4:112::\/64$/, ['2001:4:112::1/64']],
];

const peering = (range: string) =>
  `is in a range (${range}) that Atlas sees only over a peering or a private endpoint`;
const WIDE = 'is a wide block: write a narrower one if that covers the source';

/** Texts that are accepted, by what Atlas is sent for them and the warning. */
const ACCEPTED: [entry: string | null, warning: string | null, texts: string[]][] = [
  ['192.31.196.7', null, ['192.31.196.7', '192.31.196.7/32']],
  ['2001:4:112::a', null, ['2001:0004:112:0::A', '2001:4:112::a/128']],
  ['2001:4:112::c01f:c407', null, ['2001:4:112::192.31.196.7']],
  [null, null, textsIn('192.175.48.0/24 192.52.193.1 2001:4:112::/48 17.2.0.0/16 2600:1000::/32')],
  [null, peering('private'), ['10.1.2.3', '172.16.0.0', '172.31.0.0/16', '192.168.255.255']],
  [null, peering('carrierGradeNat'), ['100.64.0.1', '100.127.255.255']],
  [null, peering('uniqueLocal'), ['fd00::/48']],
  [null, WIDE, ['17.0.0.0/8', '17.2.0.0/15', '172.0.0.0/8', '2600:1000::/20', '2600:1000::/31']],
  [null, `${peering('private')}; ${WIDE}`, ['10.0.0.0/8', '172.0.0.0/11']],
];

describe('checkEntry', () => {
  it.each(REFUSED.flatMap(([problem, texts]) => texts.map((text) => [text, problem] as const)))(
    'refuses %j',
    (text, problem) => expect(checkEntry(text)).toEqual({ problem: expect.stringMatching(problem) }),
  );

  it.each(
    ACCEPTED.flatMap(([entry, warning, texts]) =>
      texts.map((text) => [text, entry ?? text, warning] as const),
    ),
  )('accepts %j as %s', (text, entry, warning) => {
    expect(checkEntry(text)).toEqual({ entry, ...(warning && { warning }) });
  });

  const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }).map((parts) => parts.join('.'));
  const addresses = fc.oneof(octets, fc.ipV6());
  const blocks = fc.tuple(addresses, fc.nat(140)).map(([address, length]) => `${address}/${length}`);
  const letters = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef.:/% ')) });
  const texts = fc.oneof(addresses, blocks, letters, fc.string({ unit: ANY_CHARACTER }));

  /** The entry, or the text that a problem advises. */
  function entryOrAdvice(checked: CheckedEntry): string | undefined {
    return 'entry' in checked ? checked.entry : /: write (\S+)$/.exec(checked.problem)?.[1];
  }

  it('advises only what it accepts, and accepts its own entries unchanged', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const settled = entryOrAdvice(checkEntry(text));
        if (settled !== undefined) expect(checkEntry(settled)).toHaveProperty('entry', settled);
      }),
      { numRuns: 5000 },
    );
  });
});
