import { z } from 'zod';
import { MAX_TEXT_LENGTH } from './limits';

const memoText = z.string().max(MAX_TEXT_LENGTH).nullable().catch(null);

/** The memo of a run, which lists return. A field is null while it is not set. */
export const runMemoSchema = z.object({
  /** `undelivered` from the first failed round or redelivery until the run ends, also during a later round. */
  step: z.literal('undelivered').nullable().catch(null),
  /** The sink of the request, while the run is undelivered. */
  sink: memoText,
  deliveryId: z.uuid().nullable().catch(null),
  tokenSha256: memoText,
  unconfirmedTokens: z.int().min(0).catch(0),
});

export type RunMemo = z.output<typeof runMemoSchema>;

/** Reads a memo that anybody may have written. It ignores unknown fields and malformed values. */
export function readMemo(memo: Record<string, unknown> | undefined): RunMemo {
  return runMemoSchema.parse(memo ?? {});
}
