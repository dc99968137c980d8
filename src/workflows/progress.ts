import { defineQuery, setCurrentDetails, setHandler, upsertMemo } from '@temporalio/workflow';
import { STATUS_QUERY, type Step } from '../contract/names';
import { escapeControls } from '../contract/printable';
import type { SealedToken, Status, ValidRequest } from '../contract/schemas';
import { countUnconfirmedToken } from './metrics';

/** What a run says of itself: the Query `status`, the current details of the Temporal UI, and the memo. */
export interface Progress {
  readonly status: Readonly<Status>;
  report(step: Step, description: string, nextTryAtMs?: number): void;
  /** Shows the request in the current details, and until when creation is tried. */
  show(request: ValidRequest, createUntilMs: number): void;
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
  let request: ValidRequest | null = null;
  let createUntil = '';

  setHandler(defineQuery<Status>(STATUS_QUERY), () => status);

  const progress: Progress = {
    get status() {
      return status;
    },
    report(step, description, nextTryAtMs) {
      const nextTryAt = nextTryAtMs === undefined ? null : new Date(nextTryAtMs).toISOString();
      status = { ...status, step, description, nextTryAt };
      setCurrentDetails(currentDetailsOf(status, request, createUntil));
    },
    show(valid, createUntilMs) {
      request = valid;
      createUntil = new Date(createUntilMs).toISOString();
    },
    countUnconfirmed() {
      status = { ...status, unconfirmedTokens: status.unconfirmedTokens + 1 };
      upsertMemo({ unconfirmedTokens: status.unconfirmedTokens });
      countUnconfirmedToken();
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

/** Markdown. Whoever starts the run, it reads the same: nothing depends on what a caller set. */
function currentDetailsOf(
  { step, description, unconfirmedTokens, nextTryAt }: Status,
  request: ValidRequest | null,
  createUntil: string,
): string {
  const paragraphs = [
    `**${step}**: ${description}`,
    nextTryAt && `Next try: ${nextTryAt}`,
    step === 'creating' && `Creation gives up: ${createUntil}`,
    request &&
      `Unconfirmed tokens: ${unconfirmedTokens}${unconfirmedTokens > 0 ? ' (Atlas may have created them; the worker never received them)' : ''}`,
    request && describeRequest(request),
  ];
  return paragraphs.filter(Boolean).join('\n\n');
}

function describeRequest(request: ValidRequest): string {
  const { orgId, sourceOrgId, accessListIps, sink, requestedBy, changeReference } = request;
  const lines = [
    `Atlas organization: ${orgId}`,
    `Source organization: ${sourceOrgId ?? 'not named'}`,
    `Access list: ${accessListIps.length} entries`,
    `Sink: ${sink}`,
    requestedBy && `Requested by (a claim): ${literal(requestedBy)}`,
    changeReference && `Change: ${literal(changeReference)}`,
  ];
  return lines.filter(Boolean).join('  \n');
}

/** What a caller wrote must not act as Markdown. */
function literal(text: string): string {
  return `\`${escapeControls(text).replaceAll('`', "'")}\``;
}
