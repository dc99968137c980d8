import {
  DefaultPayloadConverter,
  type ConverterHint,
  type Payload,
  type SerializationContext,
} from '@temporalio/common';

/** Placeholder for a payload that cannot be used. No input, result or detail is valid as a text. */
export const UNREADABLE: unknown =
  'a payload that is not plain JSON (json/plain), is larger than 512 KB, or is nested too deeply';

/** Twice the largest valid value, which is a sealed token. */
const MAX_BYTES = 512 * 1024;
/**
 * The largest valid value, a report, has 2,000. A few hundred KB of nested lists take seconds to
 * parse.
 */
const MAX_BRACKETS = 10_000;
/**
 * Far more than any valid value has. `JSON.stringify` and `String` fail on thousands, which would
 * end a worker.
 */
const MAX_DEPTH = 50;

/**
 * Replaces what cannot be used by `UNREADABLE`. Temporal's own converter throws on a payload that
 * it cannot read, such as that of a client that encrypts. In a start, a result or a failure this
 * would fail the workflow task for ever. Here it is invalid input like any other, and so are bytes
 * and what is nested too deeply.
 */
class LenientPayloadConverter extends DefaultPayloadConverter {
  override fromPayload<T>(
    payload: Payload,
    context?: SerializationContext,
    hint?: ConverterHint<T>,
  ): T {
    // Before it is parsed: a client that starts many runs with 2 MB of nested lists each would end
    // every worker.
    if (isTooLarge(payload.data ?? NO_BYTES)) return UNREADABLE as T;
    try {
      const value: unknown = super.fromPayload(payload, context, hint);
      return (isDeeperThan(MAX_DEPTH, value) ? UNREADABLE : value) as T;
    } catch {
      return UNREADABLE as T;
    }
  }
}

const NO_BYTES = new Uint8Array();
const OPENING_BRACKET = 0x5b;
const OPENING_BRACE = 0x7b;

function isTooLarge(data: Uint8Array): boolean {
  if (data.length > MAX_BYTES) return true;
  let brackets = 0;
  for (const byte of data) {
    if (byte === OPENING_BRACKET || byte === OPENING_BRACE) brackets += 1;
  }
  return brackets > MAX_BRACKETS;
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0 || ArrayBuffer.isView(value)) return true;
  return Object.values(value).some((part) => isDeeperThan(levels - 1, part));
}

export const payloadConverter = new LenientPayloadConverter();

/** Payloads as Temporal's API has them. */
export type Payloads = { payloads?: Payload[] | null } | null | undefined;

/** Decodes payloads; one that cannot be read is `UNREADABLE`. */
export function decodePayloads(payloads: Payloads): unknown[] {
  return (payloads?.payloads ?? []).map((payload) => payloadConverter.fromPayload(payload));
}
