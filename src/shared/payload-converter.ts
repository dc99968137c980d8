import {
  DefaultPayloadConverter,
  type ConverterHint,
  type Payload,
  type SerializationContext,
} from '@temporalio/common';

/** Placeholder for a payload that cannot be read. No input, result or detail is valid as a text. */
export const UNREADABLE: unknown = 'a payload that is not plain JSON (json/plain)';

/**
 * Temporal's own converter throws on a payload that it cannot read, such as that of a client that encrypts.
 * In a start, a result or a failure this would fail the workflow task for ever. Here it is invalid input like
 * any other.
 */
class LenientPayloadConverter extends DefaultPayloadConverter {
  override fromPayload<T>(payload: Payload, context?: SerializationContext, hint?: ConverterHint<T>): T {
    try {
      return super.fromPayload(payload, context, hint);
    } catch {
      return UNREADABLE as T;
    }
  }
}

export const payloadConverter = new LenientPayloadConverter();
