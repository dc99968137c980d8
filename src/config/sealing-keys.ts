import { createSealer } from '../sealing';
import type { SecretFormat } from '../secrets';

/** A JWK set that can seal and open tokens. */
export const sealingKeysFormat: SecretFormat = (keySetJson) => {
  try {
    createSealer(() => keySetJson);
    return null;
  } catch (error) {
    return `cannot be used: ${(error as Error).message}`;
  }
};
