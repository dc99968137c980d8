import { CLAIM_NAMES } from './claims';

/** Characters of a claim, and of any name of a sink that is read. */
export const MAX_TEXT_LENGTH = 200;

/** More entries than this is a mistake: the addresses of one source's hosts fit many times over. */
export const MAX_ACCESS_LIST_ENTRIES = 1000;
/** Characters of the longest block: an IPv6 block that ends with an IPv4 address. */
export const MAX_ENTRY_LENGTH = 49;

export const MAX_WARNINGS = 20;
export const MAX_WARNING_LENGTH = 500;

/** Characters of a time with any number of decimals. */
export const MAX_TIME_LENGTH = 40;

/**
 * Characters of a message, a location or a status: more than a sentence with a path of 4,096.
 * Longer ones are cut.
 */
export const MAX_MESSAGE_LENGTH = 5000;

/**
 * Characters of a text in the details of a failure. A longer one is cut: history holds the details
 * twice.
 */
export const MAX_DETAIL_LENGTH = 1000;

/** Fields that a failure names. Of more problems, the last entry gives the number. */
export const MAX_FIELDS = 101;

export const MAX_SINKS_TRIED = 100;

/**
 * The shortest workflow timeout with which a run may be started. A server may give every run a long
 * one of its own: ten years on the time-skipping test server.
 */
export const SHORTEST_WORKFLOW_TIMEOUT_MS = 365 * 24 * 3_600_000;

/**
 * Characters of the memo, as JSON, with which a run may be started. The server terminates a run
 * whose memo exceeds 2 MiB when the run adds to it.
 */
export const MAX_MEMO_LENGTH = 16 * 1024;

/** Findings of a report, which has at most `MAX_RECEIPT_LENGTH` characters. */
export const MAX_FINDINGS = 2000;

/** Bytes of its JSON text; that of a genuine link-token has about 1 KB. */
export const MAX_LINK_TOKEN_BYTES = 32 * 1024;

/** Bytes of the quotes and the comma around a text in a JSON list. */
const QUOTES_BYTES = 3;
/** Bytes of a character in JSON, which escapes some as `\u0000`. */
const MAX_CHARACTER_BYTES = 6;
/** Bytes of the names of the fields, of ids and times, and of the name of the credential. */
const OTHER_BYTES = 4096;

/** Characters of the largest valid sealed token: base64url of JSON. */
export const MAX_JWE_LENGTH = Math.ceil(
  ((MAX_LINK_TOKEN_BYTES +
    MAX_ACCESS_LIST_ENTRIES * (MAX_ENTRY_LENGTH + QUOTES_BYTES) +
    MAX_WARNINGS * MAX_WARNING_LENGTH +
    CLAIM_NAMES.length * MAX_TEXT_LENGTH * MAX_CHARACTER_BYTES +
    OTHER_BYTES) *
    4) /
    3,
);

/** Characters of a receipt as JSON: twice the largest, which has 1,000 IPv6 blocks. */
export const MAX_RECEIPT_LENGTH = 100_000;
