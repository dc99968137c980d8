import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { shortened } from './printable';
import { SPECIAL_PURPOSE, type Reach } from './special-purpose';

/** One checked entry of the access list: what Atlas is sent for it, or what is wrong with it. */
export type CheckedEntry = { entry: string; warning?: string } | { problem: string };

type Address = ipaddr.IPv4 | ipaddr.IPv6;

interface Block {
  address: Address;
  prefixLength: number;
}

const SPECIAL_BLOCKS = SPECIAL_PURPOSE.map(([cidr, reach, name, rfc]) => ({
  block: parseBlock(cidr),
  reach,
  label: `${cidr} (${name}, ${rfc})`,
}));

/** Prefix lengths below which a block is too wide to be a source, and wide enough for a warning. */
const WIDTHS = {
  ipv4: { refusedBelow: 8, warnedBelow: 16 },
  ipv6: { refusedBelow: 20, warnedBelow: 32 },
};

const LIST_THE_SOURCE = 'write the public address that the source connects from';

/** What is wrong, and the text to write instead, where it is known. */
interface Finding {
  problem: string;
  instead?: string;
}

/** The first thing that is wrong with the text of an entry. */
function checkText(text: string): Finding | null {
  if (text.trim() === '') return { problem: 'is empty: remove it' };
  if (/\s/.test(text)) return { problem: 'contains white space', instead: text.replace(/\s/g, '') };
  if (/^[\da-f.:]+%/i.test(text)) {
    const problem = 'has a zone id, which means nothing outside its host';
    return { problem, instead: text.replace(/%[^/]*/g, '') };
  }
  if (/^\d+(\.\d+){3}(\/|$)/.test(text) && /(^|[./])0\d/.test(text)) {
    const problem = 'has leading zeros, which some read as octal';
    return { problem, instead: text.replace(/(^|[./])0+(?=\d)/g, '$1') };
  }
  const [addressText = '', mask, ...others] = text.split('/');
  const address = parseAddress(addressText);
  if (!address || others.length > 0) {
    return {
      problem:
        'is neither an address nor a CIDR block: write one such as 192.31.196.7 or 192.31.196.0/24, without a host name or a port',
    };
  }
  return mask === undefined ? null : checkMask(addressText, mask, bitsOf(address));
}

/** The first thing that is wrong with a block. */
function checkBlock(block: Block): Finding | null {
  const { address, prefixLength } = block;
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) {
    const mapped = { address: address.toIPv4Address(), prefixLength: Math.max(0, prefixLength - 96) };
    return { problem: 'is an IPv4-mapped IPv6 address', instead: textOf(mapped) };
  }
  if (prefixLength === 0) return { problem: `lets in the whole Internet: ${LIST_THE_SOURCE}` };
  const network = networkOf(block);
  if (network !== textOf(block)) return { problem: 'has host bits set', instead: network };
  const { refusedBelow, warnedBelow } = WIDTHS[address.kind()];
  if (prefixLength < refusedBelow) {
    return {
      problem: `is too wide to be a source: ${LIST_THE_SOURCE}, or a block of /${warnedBelow} or narrower`,
    };
  }
  const special = overlapping(block, 'never');
  if (!special || containing(block, 'global')) return null;
  return { problem: `includes ${special.label}, which is never a source: ${LIST_THE_SOURCE}` };
}

/** Checks and normalises one entry. Pure. */
export function checkEntry(text: string): CheckedEntry {
  const textFinding = checkText(text);
  if (textFinding) return { problem: describe(textFinding) };
  const block = parseBlock(text);
  const blockFinding = checkBlock(block);
  if (blockFinding) return { problem: describe(blockFinding) };
  const warning = warningsOf(block).join('; ');
  return { entry: textOf(block), ...(warning && { warning }) };
}

function warningsOf(block: Block): string[] {
  const warnings: string[] = [];
  const special = overlapping(block, 'peering');
  if (special)
    warnings.push(`includes ${special.label}: Atlas sees it only over a peering or a private endpoint`);
  if (block.prefixLength < WIDTHS[block.address.kind()].warnedBelow)
    warnings.push('is a wide block: write a narrower one if that covers the source');
  return warnings;
}

/** The suggestion is checked too: whoever follows it is not refused a second time. */
function describe({ problem, instead }: Finding): string {
  if (instead === undefined) return problem;
  const checked = checkEntry(instead);
  return 'entry' in checked
    ? `${problem}: write ${checked.entry}`
    : `${problem}, and ${shortened(instead)} ${checked.problem}`;
}

function checkMask(addressText: string, mask: string, bits: number): Finding | null {
  if (/^(0|[1-9]\d{0,2})$/.test(mask) && Number(mask) <= bits) return null;
  if (bits === 32 && ipaddr.IPv4.isValidFourPartDecimal(mask)) {
    const prefixLength = ipaddr.IPv4.parse(mask).prefixLengthFromSubnetMask();
    if (prefixLength !== null)
      return { problem: 'has a dotted netmask', instead: `${addressText}/${prefixLength}` };
  }
  return {
    problem: `has a prefix length out of range: write ${addressText}/ and a number from 1 to ${bits}`,
  };
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

function overlapping(block: Block, reach: Reach) {
  return SPECIAL_BLOCKS.find((special) => special.reach === reach && overlap(block, special.block));
}

function containing(block: Block, reach: Reach): boolean {
  return SPECIAL_BLOCKS.some(
    (special) =>
      special.reach === reach &&
      special.block.prefixLength <= block.prefixLength &&
      overlap(block, special.block),
  );
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
  const family = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  const network = family.networkAddressFromCIDR(`${address.toString()}/${prefixLength}`);
  return textOf({ address: network, prefixLength });
}

/** The form Atlas is sent: compressed lower-case IPv6 (RFC 5952), and no mask on a single address. */
function textOf({ address, prefixLength }: Block): string {
  const text = address.toString();
  return prefixLength === bitsOf(address) ? text : `${text}/${prefixLength}`;
}
