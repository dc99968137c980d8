import {
  DefaultPayloadConverter,
  type ConverterHint,
  type Payload,
  type SerializationContext,
} from '@temporalio/common';

/** Placeholder for a payload that cannot be used. No input, result or detail is valid as a text. */
export const UNREADABLE: unknown = 'a payload that is not plain JSON (json/plain), or is nested too deeply';

/** Far more than any valid value has. `JSON.stringify` and `String` fail on thousands, which would end a worker. */
const MAX_DEPTH = 50;

/**
 * Replaces what cannot be used by `UNREADABLE`. Temporal's own converter throws on a payload that it cannot read, such
 * as that of a client that encrypts. In a start, a result or a failure this would fail the workflow task for ever. Here
 * it is invalid input like any other, and so are bytes and what is nested too deeply.
 */
class LenientPayloadConverter extends DefaultPayloadConverter {
  override fromPayload<T>(payload: Payload, context?: SerializationContext, hint?: ConverterHint<T>): T {
    try {
      const value: unknown = super.fromPayload(payload, context, hint);
      return (isDeeperThan(MAX_DEPTH, value) ? UNREADABLE : value) as T;
    } catch {
      return UNREADABLE as T;
    }
  }
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0 || ArrayBuffer.isView(value)) return true;
  return Object.values(value).some((part) => isDeeperThan(levels - 1, part));
}

export const payloadConverter = new LenientPayloadConverter();
