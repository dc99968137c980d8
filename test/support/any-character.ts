import fc from 'fast-check';

/**
 * A unit of `fc.string` with the characters of its unit `binary`, which takes a second to compute.
 */
export const ANY_CHARACTER = fc.mapToConstant(
  { num: 0xd800, build: (index) => String.fromCodePoint(index) },
  // After the surrogates.
  { num: 0x110000 - 0xe000, build: (index) => String.fromCodePoint(0xe000 + index) },
);
