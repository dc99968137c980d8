import { z } from 'zod';
import { PUBLIC_API_KEY } from '../contract/formats';

const contentSchema = z.object({ publicApiKey: z.string().regex(PUBLIC_API_KEY) });

/**
 * Finds the public key of the API key that a link-token embeds, which is not secret; null if the
 * token has another form than the one below.
 *
 * MongoDB documents no form. In the end-to-end recordings of its Atlas CLI (TestLinkToken in the
 * repository mongodb/mongodb-atlas-cli), each of the 21 tokens from March to May 2025 is base64 of
 * JSON with exactly `orgId`, `orgName`, `privateApiKey`, a UUID, and `publicApiKey`, eight
 * lower-case letters; later recordings leave the token out. For 17 of these tokens, the recorded
 * activity feed (TestEvents) has the creation of a key with this very public key in the same
 * second. All of these were made with an API key, none by a service account.
 */
export function findPublicApiKey(linkToken: string): string | null {
  try {
    const content: unknown = JSON.parse(Buffer.from(linkToken, 'base64').toString());
    return contentSchema.parse(content).publicApiKey;
  } catch {
    return null;
  }
}
