import { SecretUnavailableError } from '../../secrets';
import { SinkError, SinkUnavailableError } from '../sink';

/**
 * Waits for one step of a delivery whose own requests do not carry the token, and sets what its failure says about the
 * token: false for a step before the token is sent, true for one after the sink accepted it.
 */
export async function withTokenMayBeThere<T>(tokenMayBeThere: boolean, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof SinkError) error.tokenMayBeThere = tokenMayBeThere;
    if (error instanceof SecretUnavailableError) {
      throw new SinkUnavailableError(error.message, { tokenMayBeThere });
    }
    throw error;
  }
}
