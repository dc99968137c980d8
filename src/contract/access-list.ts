import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { shortened } from './printable';

/** One checked entry of the access list: what Atlas is sent for it, or what is wrong with it. */
export type EntryVerdict = { entry: string; warning?: string } | { problem: string };

type Address = ipaddr.IPv4 | ipaddr.IPv6;

interface Block {
  address: Address;
  prefixLength: number;
}

/** Blocks that are never a source on the Internet. Whatever shares an address with one of them is refused. */
const REFUSED = ranges([
  ['0.0.0.0/8', 'unspecified addresses'],
  ['::/128', 'the unspecified address'],
  ['127.0.0.0/8', 'loopback addresses'],
  ['::1/128', 'the loopback address'],
  ['169.254.0.0/16', 'link-local addresses'],
  ['fe80::/10', 'link-local addresses'],
  ['224.0.0.0/4', 'multicast addresses'],
  ['ff00::/8', 'multicast addresses'],
  ['255.255.255.255/32', 'the broadcast address'],
]);

/** Blocks that Atlas only sees through a private endpoint or a peering. */
const PRIVATE = ranges([
  ['10.0.0.0/8', 'private addresses'],
  ['172.16.0.0/12', 'private addresses'],
  ['192.168.0.0/16', 'private addresses'],
  ['100.64.0.0/10', 'addresses of carrier-grade NAT'],
  ['fc00::/7', 'unique local addresses'],
]);

/** What one rule finds wrong, and the text to write instead, where it knows one. */
interface Finding {
  problem: string;
  instead?: string;
}

/** Rules on the text, in order; the first that speaks decides. */
const TEXT_RULES: readonly ((text: string) => Finding | null)[] = [
  (text) => (text.trim() === '' ? { problem: 'is empty: remove it' } : null),
  (text) => (/\s/.test(text) ? { problem: 'holds white space', instead: text.replace(/\s/g, '') } : null),
  (text) =>
    /^[\da-f.:]+%/i.test(text)
      ? {
          problem: 'has a zone id, which means nothing outside its host',
          instead: text.replace(/%[^/]*/g, ''),
        }
      : null,
  (text) =>
    /^\d+(\.\d+){3}(\/|$)/.test(text) && /(^|[./])0\d/.test(text)
      ? {
          problem: 'has leading zeros, which some read as octal',
          instead: text.replace(/(^|[./])0+(?=\d)/g, '$1'),
        }
      : null,
  (text) =>
    parseAddress(text.split('/', 1)[0] ?? '') && text.split('/').length <= 2
      ? null
      : {
          problem:
            'is neither an address nor a CIDR block: write one such as 192.31.196.7 or 192.31.196.0/24, no host name and no port',
        },
  checkMask,
];

/** Rules on the parsed block, in order. */
const BLOCK_RULES: readonly ((block: Block) => Finding | null)[] = [
  ({ address, prefixLength }) => {
    if (!(address instanceof ipaddr.IPv6) || !address.isIPv4MappedAddress()) return null;
    const mapped = { address: address.toIPv4Address(), prefixLength: Math.max(0, prefixLength - 96) };
    return { problem: 'is an IPv4-mapped IPv6 address', instead: textOf(mapped) };
  },
  (block) =>
    block.prefixLength === 0
      ? { problem: 'lets in the whole Internet: list the addresses of the source' }
      : null,
  (block) => {
    const network = networkOf(block);
    return network === textOf(block) ? null : { problem: 'has bits set below its mask', instead: network };
  },
  (block) => {
    const range = overlapping(block, REFUSED);
    return range
      ? { problem: `takes in ${range}, never a source on the Internet: list public addresses` }
      : null;
  },
];

/** Judges one entry. Pure. */
export function judgeEntry(text: string): EntryVerdict {
  const textFinding = firstFinding(TEXT_RULES, text);
  if (textFinding) return { problem: inWords(textFinding) };
  const block = parseBlock(text);
  const blockFinding = firstFinding(BLOCK_RULES, block);
  if (blockFinding) return { problem: inWords(blockFinding) };
  const privateRange = overlapping(block, PRIVATE);
  return {
    entry: textOf(block),
    ...(privateRange && {
      warning: `takes in ${privateRange}: Atlas sees it only over a peering or a private endpoint`,
    }),
  };
}

function firstFinding<T>(rules: readonly ((subject: T) => Finding | null)[], subject: T): Finding | null {
  for (const rule of rules) {
    const finding = rule(subject);
    if (finding) return finding;
  }
  return null;
}

/** The suggestion is checked too: whoever follows it is not refused a second time. */
function inWords({ problem, instead }: Finding): string {
  if (instead === undefined) return problem;
  const verdict = judgeEntry(instead);
  return 'entry' in verdict
    ? `${problem}: write ${verdict.entry}`
    : `${problem}, and ${shortened(instead)} ${verdict.problem}`;
}

function checkMask(text: string): Finding | null {
  const [addressText = '', mask] = text.split('/');
  const address = parseAddress(addressText);
  if (mask === undefined || !address) return null;
  const bits = bitsOf(address);
  if (/^(0|[1-9]\d{0,2})$/.test(mask) && Number(mask) <= bits) return null;
  if (bits === 32 && ipaddr.IPv4.isValidFourPartDecimal(mask)) {
    const prefixLength = ipaddr.IPv4.parse(mask).prefixLengthFromSubnetMask();
    if (prefixLength !== null)
      return { problem: 'has its mask in dots', instead: `${addressText}/${prefixLength}` };
  }
  return { problem: `has a mask out of range: write ${addressText}/ and a number from 1 to ${bits}` };
}

/** Strict forms only: ipaddr.js alone would read 010.0.0.1 as 8.0.0.1, and 1.2 as 1.0.0.2, in IPv6 too. */
function parseAddress(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (isIPv6(text) && ipaddr.IPv6.isValid(text)) return ipaddr.IPv6.parse(text);
  return null;
}

function parseBlock(text: string): Block {
  const [addressText = '', mask] = text.split('/');
  const address = parseAddress(addressText);
  if (!address) throw new Error('an entry is checked before it is parsed');
  return { address, prefixLength: mask === undefined ? bitsOf(address) : Number(mask) };
}

function ranges(table: readonly (readonly [cidr: string, name: string])[]) {
  return table.map(([cidr, name]) => ({ block: parseBlock(cidr), name: `${name} (${cidr})` }));
}

function overlapping(block: Block, table: ReturnType<typeof ranges>): string | null {
  return table.find((range) => overlap(block, range.block))?.name ?? null;
}

function overlap(a: Block, b: Block): boolean {
  if (a.address.kind() !== b.address.kind()) return false;
  const bits = Math.min(a.prefixLength, b.prefixLength);
  return (a.address as ipaddr.IPv6).match(b.address, bits);
}

function bitsOf(address: Address): number {
  return address.kind() === 'ipv4' ? 32 : 128;
}

function networkOf({ address, prefixLength }: Block): string {
  const cidr = `${address.toString()}/${prefixLength}`;
  const network =
    address instanceof ipaddr.IPv6
      ? ipaddr.IPv6.networkAddressFromCIDR(cidr)
      : ipaddr.IPv4.networkAddressFromCIDR(cidr);
  return textOf({ address: network, prefixLength });
}

/** The form Atlas is sent: compressed lower-case IPv6 (RFC 5952), and no mask on a single address. */
function textOf({ address, prefixLength }: Block): string {
  const text = address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
  return text + suffix(address, prefixLength);
}

function suffix(address: Address, prefixLength: number): string {
  return prefixLength === bitsOf(address) ? '' : `/${prefixLength}`;
}
