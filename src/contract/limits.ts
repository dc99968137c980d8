import { MAX_TEXT_LENGTH } from './names';

/** More entries than this is a mistake: the addresses of one source's hosts fit many times over. */
export const MAX_ACCESS_LIST_ENTRIES = 1000;

export const MAX_WARNINGS = 20;
export const MAX_WARNING_LENGTH = 500;

/** A genuine link-token has about 1 KB, in bytes of its JSON text. */
export const MAX_LINK_TOKEN_BYTES = 32 * 1024;

/** Bytes of an IPv6 block in JSON, with its quotes and a comma. */
const MAX_ENTRY_BYTES = 46;
/** Bytes of a character in JSON, which escapes some as `\u0000`. */
const MAX_CHARACTER_BYTES = 6;
/** Bytes of the names of the fields, of ids and times, and of the name of the credential. */
const OTHER_BYTES = 4096;

/** Characters of the largest valid sealed token: base64url of JSON. */
export const MAX_JWE_LENGTH = Math.ceil(
  ((MAX_LINK_TOKEN_BYTES +
    MAX_ACCESS_LIST_ENTRIES * MAX_ENTRY_BYTES +
    MAX_WARNINGS * MAX_WARNING_LENGTH +
    2 * MAX_TEXT_LENGTH * MAX_CHARACTER_BYTES +
    OTHER_BYTES) *
    4) /
    3,
);

/** Characters of a receipt as JSON: twice the largest, which has 1,000 IPv6 blocks. */
export const MAX_RECEIPT_LENGTH = 100_000;
