import { defineQuery, setCurrentDetails, setHandler, upsertMemo, workflowInfo } from '@temporalio/workflow';
import { commandLine } from '../contract/command-line';
import type { RunMemo } from '../contract/memo';
import { STATUS_QUERY, type Step } from '../contract/names';
import { escapeControls } from '../contract/printable';
import type { SealedToken, Status, ValidRequest } from '../contract/schemas';
import { countUnconfirmedToken } from './metrics';

export type Progress = ReturnType<typeof createProgress>;

/** What a run says of itself: the Query `status`, the current details of the Temporal UI, and the memo. */
export function createProgress() {
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

  const progress = {
    get status(): Readonly<Status> {
      return status;
    },
    report(step: Step, description: string, nextTryAtMs?: number) {
      const nextTryAt = nextTryAtMs === undefined ? null : new Date(nextTryAtMs).toISOString();
      status = { ...status, step, description, nextTryAt };
      setCurrentDetails(currentDetailsOf(status, request, createUntil));
    },
    /** Shows the request in the current details, and until when creation is tried. */
    show(valid: ValidRequest, createUntilMs: number) {
      request = valid;
      createUntil = new Date(createUntilMs).toISOString();
    },
    /** Counts a token that Atlas may have created and the run never received. */
    countUnconfirmed() {
      status = { ...status, unconfirmedTokens: status.unconfirmedTokens + 1 };
      remember({ unconfirmedTokens: status.unconfirmedTokens });
      countUnconfirmedToken();
    },
    /** Takes over what is known of a token, be it new or of a closed run. */
    setToken({ deliveryId, unconfirmedTokens }: SealedToken) {
      // The worker found the token of an attempt that was counted. A count that a recovery brings is not written: the
      // closed run has it, and `list` would count it twice.
      if (unconfirmedTokens < status.unconfirmedTokens) remember({ unconfirmedTokens });
      status = { ...status, deliveryId, unconfirmedTokens };
    },
    /** Lists the run among those whose token is not delivered. A clean run writes no memo. */
    listUndelivered(sink: string, { deliveryId, tokenSha256 }: SealedToken) {
      if (listed) return;
      listed = true;
      remember({ step: 'undelivered', sink, deliveryId, tokenSha256 });
    },
    /** Ends that listing; the memo goes on naming a token that may be left. */
    endUndelivered(tokenLeft: SealedToken | null) {
      if (tokenLeft) {
        const { deliveryId, tokenSha256 } = tokenLeft;
        remember({ step: null, sink: null, deliveryId, tokenSha256 });
      } else if (listed) {
        remember({ step: null, sink: null, deliveryId: null, tokenSha256: null });
      }
    },
  };
  progress.report(status.step, status.description);
  return progress;
}

function remember(fields: Partial<RunMemo>): void {
  upsertMemo(fields);
}

/** Markdown. Whoever starts the run, it reads the same: nothing depends on what a caller set. */
function currentDetailsOf(
  { step, description, unconfirmedTokens, nextTryAt }: Status,
  request: ValidRequest | null,
  createUntil: string,
): string {
  const paragraphs = [
    `**${step}**: ${withoutMarkup(description)}`,
    step === 'undelivered' && remedy(),
    nextTryAt && `Next try: ${nextTryAt}`,
    step === 'creating' && `Creation gives up: ${createUntil}`,
    request &&
      `Unconfirmed tokens: ${unconfirmedTokens}${unconfirmedTokens > 0 ? ' (Atlas may have created them; the run never received them)' : ''}`,
    request && describeRequest(request),
  ];
  return paragraphs.filter(Boolean).join('\n\n');
}

/** Markdown changes `--` and drops `<name>` outside backticks. */
function remedy(): string {
  return `Once the cause is fixed: \`${commandLine('redeliver', workflowInfo().workflowId)}\` (with \`--sink <name>\` to another sink)`;
}

function describeRequest(request: ValidRequest): string {
  const { orgId, sourceOrgId, accessListIps, sink, requestedBy, changeReference } = request;
  const lines = [
    `Atlas organization: ${orgId}`,
    `Source organization: ${sourceOrgId ?? 'not named'}`,
    `Entries of the access list: ${accessListIps.length}`,
    `Sink: ${sink}`,
    requestedBy && `Requested by (a claim): ${literal(requestedBy)}`,
    changeReference && `Change: ${literal(changeReference)}`,
  ];
  return lines.filter(Boolean).join('  \n');
}

/** What Atlas or a caller wrote must make no link, no image and no HTML. */
function withoutMarkup(text: string): string {
  return text.replace(/[\\[<]/g, String.raw`\$&`);
}

/** What a caller wrote must not act as Markdown. */
function literal(text: string): string {
  return `\`${escapeControls(text).replaceAll('`', "'")}\``;
}
