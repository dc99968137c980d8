import type { ApplicationFailure } from '@temporalio/workflow';
import {
  CancelledFailure,
  defineQuery,
  log,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { RunMemo } from '../contract/memo';
import { STATUS_QUERY, type Step } from '../contract/names';
import type { Receipt, Status, ValidRequest } from '../contract/schemas';
import { commandLine } from '../shared/command-line';
import { escapeControls } from '../shared/text';
import type { AttemptFailure, RunToken } from './activity-results';
import { failureOf, firstDetails } from './failures';
import { countDelivery, countFailedRound, countRun, countUnconfirmedToken } from './metrics';

/** Everything a run says of itself: Query, current details, memo, log and metrics change together, once a transition. */
export interface RunStatus {
  readonly current: Readonly<Status>;
  setRequest(request: ValidRequest, createUntilMs: number): void;
  /** @returns the summary of the activity. */
  creating(tries: number): string;
  /** Counts a token that Atlas may have created and the run never received. */
  countUnconfirmed(): void;
  waitingToCreate(failure: AttemptFailure, nextTryAtMs: number): void;
  /** @param isNew false for the token of a closed run. */
  hasToken(token: RunToken, isNew: boolean): void;
  /** @returns the summary of the activity. */
  delivering(sink: string): string;
  /** @param sink that the failed attempt went to. */
  undelivered(failure: ApplicationFailure, sink: string, nextRoundAtMs: number): void;
  delivered(receipt: Receipt): void;
  /** @returns the failure that callers who wait get. */
  ended(failure: ApplicationFailure | CancelledFailure): ApplicationFailure;
}

export function createRunStatus(): RunStatus {
  let status: Status = {
    step: 'validating',
    description: 'checking the request',
    unconfirmedTokens: 0,
    deliveryId: null,
    nextTryAt: null,
  };
  let request: ValidRequest | null = null;
  let createUntil = '';
  let token: RunToken | null = null;
  let isListed = false;

  function show(step: Step, description: string, nextTryAtMs?: number): void {
    const nextTryAt = nextTryAtMs === undefined ? null : new Date(nextTryAtMs).toISOString();
    status = { ...status, step, description, nextTryAt };
    setCurrentDetails(describeRun(status, request, createUntil));
  }

  setHandler(defineQuery<Status>(STATUS_QUERY), () => status);
  show(status.step, status.description);

  return {
    get current() {
      return status;
    },
    setRequest(valid, createUntilMs) {
      request = valid;
      createUntil = new Date(createUntilMs).toISOString();
    },
    creating(tries) {
      const target = describePair(request);
      const { credential, accessListIps } = request ?? { credential: '', accessListIps: [] };
      show(
        'creating',
        `creating a link-token in ${target} with credential ${credential} and an access list of length ${accessListIps.length} (try ${tries})`,
      );
      return `create a link-token in ${target}`;
    },
    countUnconfirmed() {
      status = { ...status, unconfirmedTokens: status.unconfirmedTokens + 1 };
      writeMemo({ unconfirmedTokens: status.unconfirmedTokens });
      countUnconfirmedToken();
    },
    waitingToCreate({ message }, nextTryAtMs) {
      show('creating', `${message}; Atlas may have created a token all the same`, nextTryAtMs);
    },
    hasToken(created, isNew) {
      token = created;
      const { deliveryId, tokenSha256, unconfirmedTokens } = created;
      // The worker found the token of an attempt that was counted. A recovery repeats the count of the closed run, whose
      // memo has it: `list` would count it twice.
      if (unconfirmedTokens < status.unconfirmedTokens) writeMemo({ unconfirmedTokens });
      status = { ...status, deliveryId, unconfirmedTokens };
      if (isNew) log.info('link-token created', { deliveryId, tokenSha256, unconfirmedTokens });
    },
    delivering(sink) {
      const { deliveryId } = status;
      show('delivering', `delivering token ${deliveryId} to sink ${sink}`);
      return `deliver token ${deliveryId} of ${describePair(request)} to sink ${sink}`;
    },
    undelivered({ type, message }, sink, nextRoundAtMs) {
      if (token) countFailedRound(String(type), token);
      const { deliveryId } = status;
      log.warn('link-token not delivered', { deliveryId, sink, type, reason: message });
      show('undelivered', `${String(type)}: ${message}`, nextRoundAtMs);
      if (isListed || !token || !request) return;
      isListed = true;
      writeMemo({ step: 'undelivered', sink: request.sink, ...nameToken(token) });
    },
    delivered(receipt) {
      const { deliveryId, sink, location } = receipt;
      log.info('link-token delivered', { deliveryId, sink, location });
      show('delivered', `the token is in ${location}`);
      if (isListed) writeMemo({ step: null, sink: null, deliveryId: null, tokenSha256: null });
      countDelivery(receipt);
      countRun('delivered');
    },
    ended(failure) {
      if (failure instanceof CancelledFailure) {
        show('cancelled', failure.message);
        countRun('cancelledWithoutToken');
        return failureOf('Cancelled', failure.message, { unconfirmedTokens: 0 });
      }
      const type = String(failure.type);
      const level = ONLY_FOR_CALLERS.includes(type) ? 'warn' : 'error';
      log[level]('link-token job failed', { type, reason: failure.message, ...firstDetails(failure) });
      show(type === 'Cancelled' ? 'cancelled' : 'failed', `${type}: ${failure.message}`);
      // The memo goes on naming the token, which is recoverable now.
      if (token) writeMemo({ step: null, sink: null, ...nameToken(token) });
      countRun(type);
      return failure;
    },
  };
}

/** Operators can do nothing about a mistake in a request, or a start that would create a second token. */
const ONLY_FOR_CALLERS: readonly string[] = ['InvalidRequest', 'TokenExists'];

/** A clean run writes no memo. */
function writeMemo(fields: Partial<RunMemo>): void {
  upsertMemo(fields);
}

function nameToken({ deliveryId, tokenSha256 }: RunToken): Pick<RunMemo, 'deliveryId' | 'tokenSha256'> {
  return { deliveryId, tokenSha256 };
}

function describePair(request: ValidRequest | null): string {
  const { orgId, sourceOrgId } = request ?? { orgId: '', sourceOrgId: null };
  return sourceOrgId ? `${orgId} for source organization ${sourceOrgId}` : orgId;
}

/** The current details of the Temporal UI, in Markdown. */
function describeRun(
  { step, description, unconfirmedTokens, nextTryAt }: Status,
  request: ValidRequest | null,
  createUntil: string,
): string {
  const paragraphs = [
    `**${step}**: ${escapeMarkup(description)}`,
    step === 'undelivered' && describeRemedy(),
    nextTryAt && `Next try: ${nextTryAt}`,
    step === 'creating' && `Creation gives up: ${createUntil}`,
    request &&
      `Unconfirmed tokens: ${unconfirmedTokens}${unconfirmedTokens > 0 ? ' (Atlas may have created them; the run never received them)' : ''}`,
    request && describeRequest(request),
  ];
  return paragraphs.filter(Boolean).join('\n\n');
}

/** Markdown changes `--` and drops `<name>` outside backticks. */
function describeRemedy(): string {
  return `Once the cause is fixed: \`${commandLine('redeliver', workflowInfo().workflowId)}\` (with \`--sink <name>\` to another sink)`;
}

function describeRequest(request: ValidRequest): string {
  const { orgId, sourceOrgId, accessListIps, sink, requestedBy, changeReference } = request;
  const lines = [
    `Atlas organization: ${orgId}`,
    `Source organization: ${sourceOrgId ?? 'not named'}`,
    `Entries of the access list: ${accessListIps.length}`,
    `Sink: ${sink}`,
    requestedBy && `Requested by (a claim): ${quoteLiterally(requestedBy)}`,
    changeReference && `Change: ${quoteLiterally(changeReference)}`,
  ];
  return lines.filter(Boolean).join('  \n');
}

/** Escapes the text of Atlas or of a caller, so that it makes no link, no image and no HTML. */
function escapeMarkup(text: string): string {
  return text.replace(/[\\[<]/g, String.raw`\$&`);
}

/** Quotes the text of a caller, so that it does not act as Markdown. */
function quoteLiterally(text: string): string {
  return `\`${escapeControls(text).replaceAll('`', "'")}\``;
}
