import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { MAX_ENTRY_LENGTH } from '../contract/limits';
import type { FieldProblem } from '../contract/schemas';
import { quote } from '../shared/text';

/** Prefix lengths: of an address, and those below which a block is refused or gets a warning. */
const WIDTHS = {
  ipv4: { address: 32, refusedBelow: 8, warnedBelow: 16 },
  ipv6: { address: 128, refusedBelow: 20, warnedBelow: 32 },
};

/**
 * Ranges, as ipaddr.js names them, from which a source can reach Atlas: its Admin API is on the
 * public internet only. The AS112 and AMT blocks are public, unlike those reserved for
 * documentation, so they serve as examples.
 *
 * @see https://www.mongodb.com/docs/atlas/configure-api-access/
 */
const PERMITTED_RANGES = new Set<string>(['unicast', 'as112', 'as112v6', 'amt']);

const NO_BLOCK =
  'is neither an address nor a CIDR block: write one such as 192.31.196.7 or 192.31.196.0/24, ' +
  'without leading zeros, a host name or a port';
const LIST_THE_SOURCE = 'write the public address of an Ops Manager instance';

/** @returns `entries` has the valid ones, normalised and each once. */
export function validateAccessList(list: readonly unknown[]) {
  const entries = new Set<string>();
  const problems: FieldProblem[] = [];
  /** The entries of each warning: a thousand addresses of one network get one. */
  const entriesByWarning = new Map<string, string[]>();
  const warn = (entry: string, warning: string) => {
    const entriesBefore = entriesByWarning.get(warning) ?? [];
    entriesByWarning.set(warning, [...entriesBefore, entry]);
  };
  list.forEach((text, index) => {
    // The schema refuses the others.
    if (typeof text !== 'string' || text.length > MAX_ENTRY_LENGTH) return;
    const field = `accessListIps[${index}]`;
    const validation = validateEntry(text);
    if ('problem' in validation) {
      problems.push({ field, description: `${quote(text)} ${validation.problem}` });
      return;
    }
    const { entry, warning } = validation;
    const place = `${field} ${quote(text)}`;
    if (entries.has(entry)) warn(place, 'is a duplicate: it is sent once');
    else if (warning) warn(place, warning);
    entries.add(entry);
  });
  const warnings = [...entriesByWarning].map(([warning, [first = '', ...others]]) =>
    others.length > 0 ? `${first} (and ${others.length} more) ${warning}` : `${first} ${warning}`,
  );
  return { entries: [...entries], problems, warnings };
}

/** Checks an entry of the access list. Returns its normalised form for Atlas, or its problem. */
export function validateEntry(
  text: string,
): { entry: string; warning?: string } | { problem: string } {
  const block = parseBlock(text);
  if (!block) return { problem: NO_BLOCK };
  const { address, prefixLength, width, first, last } = block;
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) {
    return { problem: 'is an IPv4-mapped IPv6 address: write the IPv4 address or block itself' };
  }
  if (prefixLength === 0) return { problem: `lets in the whole Internet: ${LIST_THE_SOURCE}` };
  if (prefixLength < width.refusedBelow) {
    const narrow = `a block of /${width.warnedBelow} or narrower`;
    return { problem: `is too wide to be a source: ${LIST_THE_SOURCE}, or ${narrow}` };
  }

  const privateRange = [first.range(), last.range()].find((range) => !PERMITTED_RANGES.has(range));
  if (privateRange) {
    return { problem: `is in a range that is not public (${privateRange}): ${LIST_THE_SOURCE}` };
  }
  // Compressed lower-case IPv6 (RFC 5952), and no mask on a single address.
  const entry =
    prefixLength === width.address ? first.toString() : `${first.toString()}/${prefixLength}`;
  if (first.toString() !== address.toString()) {
    const problem = `has host bits set: write ${address.toString()} for this address alone`;
    return { problem: `${problem}, or ${entry} for the whole block` };
  }

  if (prefixLength >= width.warnedBelow) return { entry };
  return { entry, warning: 'is a wide block: write a narrower one if that covers the source' };
}

/**
 * Accepts strict forms only: ipaddr.js alone would read 010.0.0.1 as 8.0.0.1, and 1.2 as 1.0.0.2.
 */
function parseBlock(text: string) {
  const [, addressText = '', mask] = /^([\da-f.:]+)(?:\/(0|[1-9]\d{0,2}))?$/i.exec(text) ?? [];
  if (!isIP(addressText)) return null;
  const address = ipaddr.parse(addressText);
  const width = WIDTHS[address.kind()];
  const prefixLength = mask === undefined ? width.address : Number(mask);
  if (prefixLength > width.address) return null;
  const family = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  const cidr = `${address.toString()}/${prefixLength}`;
  const first = family.networkAddressFromCIDR(cidr);
  const last = family.broadcastAddressFromCIDR(cidr);
  return { address, prefixLength, width, first, last };
}
