import type { Status } from '../contract/names';
import { cancellationOf, endingOf, failureOfEnding } from './one-failure';
import { logLine } from './story';

interface Step {
  tell: (status: Status) => void;
  /** The type of the failure when the step gives up without saying why. */
  unavailable: 'AtlasUnavailable' | 'SinkUnavailable';
  /** What was counted so far; null while creating, where only the attempts know. */
  unconfirmedTokens: number | null;
  /** Delivery id of a token that exists, sealed in this run's history. */
  keptToken?: string;
}

/** Runs one step. A bad ending is told, logged, and thrown as one failure; a cancellation is told and thrown on. */
export async function runStep<T>(step: Step, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const kept = step.keptToken
      ? `; token ${step.keptToken} is kept, sealed, in this run's history: hand it over with redeliver, within the namespace's retention`
      : '';
    const cancellation = cancellationOf(error, step.unconfirmedTokens);
    if (cancellation) {
      const { unconfirmedTokens } = cancellation;
      step.tell({
        step: 'cancelled',
        description: `cancelled; ${wordsForCount(unconfirmedTokens)}${kept}`,
        unconfirmedTokens,
      });
      throw cancellation.failure;
    }
    const ending = endingOf(error, step.unavailable, step.unconfirmedTokens);
    const message = ending.message + kept;
    logLine.failed({ type: ending.type, reason: message, ...ending.details });
    const { unconfirmedTokens } = ending.details;
    step.tell({ step: 'failed', description: `${ending.type}: ${message}`, unconfirmedTokens });
    throw failureOfEnding({ ...ending, message });
  }
}

function wordsForCount(unconfirmedTokens: number | null): string {
  return unconfirmedTokens === null
    ? 'how many tokens Atlas may have created unseen is not known here: look at the attempts of createLinkToken'
    : `Atlas may have created ${unconfirmedTokens} token(s) unseen`;
}
