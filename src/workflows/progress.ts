import { defineQuery, setCurrentDetails, setHandler, upsertMemo } from '@temporalio/workflow';
import { STATUS_QUERY, type Step } from '../contract/names';
import type { SealedToken, Status } from '../contract/schemas';

/** What a run says of itself: the Query `status`, the current details of the Temporal UI, and the memo. */
export interface Progress {
  readonly status: Readonly<Status>;
  report(step: Step, description: string, nextTryAtMs?: number): void;
  /** Counts a token that Atlas may have created and the worker never received. */
  countUnconfirmed(): void;
  /** Takes over what is known of a token, be it new or of a closed run. */
  hold(token: SealedToken): void;
  /** Lists the run among those whose token is not delivered. A clean run writes no memo. */
  listUndelivered(sink: string, token: SealedToken): void;
  /** Ends that listing; the memo goes on naming a token that may be left. */
  unlist(tokenLeft: SealedToken | null): void;
}

export function createProgress(): Progress {
  let status: Status = {
    step: 'validating',
    description: 'checking the request',
    unconfirmedTokens: 0,
    deliveryId: null,
    nextTryAt: null,
  };
  let listed = false;

  setHandler(defineQuery<Status>(STATUS_QUERY), () => status);

  const progress: Progress = {
    get status() {
      return status;
    },
    report(step, description, nextTryAtMs) {
      const nextTryAt = nextTryAtMs === undefined ? null : new Date(nextTryAtMs).toISOString();
      status = { ...status, step, description, nextTryAt };
      setCurrentDetails(currentDetailsOf(status));
    },
    countUnconfirmed() {
      status = { ...status, unconfirmedTokens: status.unconfirmedTokens + 1 };
      upsertMemo({ unconfirmedTokens: status.unconfirmedTokens });
    },
    hold({ deliveryId, unconfirmedTokens }) {
      status = { ...status, deliveryId, unconfirmedTokens };
    },
    listUndelivered(sink, { deliveryId, tokenSha256 }) {
      if (listed) return;
      listed = true;
      upsertMemo({ step: 'undelivered', sink, deliveryId, tokenSha256 });
    },
    unlist(tokenLeft) {
      if (tokenLeft) {
        const { deliveryId, tokenSha256 } = tokenLeft;
        upsertMemo({ step: null, sink: null, deliveryId, tokenSha256 });
      } else if (listed) {
        upsertMemo({ step: null, sink: null, deliveryId: null, tokenSha256: null });
      }
    },
  };
  progress.report(status.step, status.description);
  return progress;
}

function currentDetailsOf({ step, description, unconfirmedTokens, nextTryAt }: Status): string {
  const lines = [
    `**${step}**: ${description}`,
    nextTryAt && `Next try: ${nextTryAt}`,
    unconfirmedTokens > 0 &&
      `Unconfirmed tokens: ${unconfirmedTokens} (Atlas may have created them; the worker never received them)`,
  ];
  return lines.filter(Boolean).join('\n\n');
}
