import fc from 'fast-check';

const SURROGATES = { first: 0xd800, count: 0x800 };
const COUNT = 0x110000 - SURROGATES.count;

/** A unit of `fc.string` with the characters of its unit `binary`, which takes a second to compute. */
export const ANY_CHARACTER = fc.nat({ max: COUNT - 1 }).map(
  (index) => String.fromCodePoint(index < SURROGATES.first ? index : index + SURROGATES.count),
  (character) => {
    const [codePoint = 0, ...others] = Array.from(String(character), (one) => one.codePointAt(0) ?? 0);
    if (others.length > 0) throw new Error('more than one character');
    return codePoint < SURROGATES.first ? codePoint : codePoint - SURROGATES.count;
  },
);
