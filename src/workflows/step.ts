import { cancellationOf, endingOf, failureOfEnding } from './one-failure';
import { logLine, type tellStory } from './story';

/**
 * Runs one step. A bad ending is told, logged, and thrown as one failure; a cancellation is told and thrown on.
 *
 * @param unconfirmedTokens what was counted so far; null while creating, where only the attempts know.
 */
export async function runStep<T>(
  tell: ReturnType<typeof tellStory>,
  unavailable: 'AtlasUnavailable' | 'SinkUnavailable',
  unconfirmedTokens: number | null,
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const cancellation = cancellationOf(error);
    if (cancellation) {
      const count = cancellation.unconfirmedTokens ?? unconfirmedTokens;
      const words =
        count === null
          ? 'how many tokens Atlas may have created unseen is not known: look at the attempts in the history'
          : `Atlas may have created ${count} token(s) unseen`;
      tell({ step: 'cancelled', description: `cancelled; ${words}`, unconfirmedTokens: count });
      throw error;
    }
    const ending = endingOf(error, unavailable, unconfirmedTokens ?? 0);
    logLine.failed({ type: ending.type, reason: ending.message, ...ending.details });
    tell({
      step: 'failed',
      description: `${ending.type}: ${ending.message}`,
      unconfirmedTokens: ending.details.unconfirmedTokens,
    });
    throw failureOfEnding(ending);
  }
}
