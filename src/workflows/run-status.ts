import {
  CancelledFailure,
  log,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
  type ApplicationFailure,
} from '@temporalio/workflow';
import { CLAIMS, forEachClaim } from '../contract/claims';
import type { DeliveryFailureType } from '../contract/failure-types';
import { MAX_DETAIL_LENGTH, MAX_MESSAGE_LENGTH } from '../contract/limits';
import type { Receipt, RunMemo, SealedToken, Status } from '../contract/schemas';
import type { Step } from '../contract/states';
import { statusQuery } from '../contract/workflows';
import type { RunPlan } from '../shared/activities';
import { TOKEN_UNCONFIRMED } from '../shared/attempt-failure';
import { commandLine } from '../shared/command-line';
import { toSearchAttributes, type SearchFields } from '../shared/search-attributes';
import { cut, describePair, escapeControls } from '../shared/text';
import { createFailure, firstDetails } from './endings';
import { countDelivery, countRun, countUnconfirmedToken } from './run-metrics';

/** Names what the log says of a token. The log outlives the run, whose history Temporal deletes. */
const LOGGED_FACTS = {
  orgId: true,
  sourceOrgId: true,
  accessListIps: true,
  credential: true,
  warnings: true,
  ...CLAIMS,
  deliveryId: true,
  publicApiKey: true,
  tokenSha256: true,
  createdAt: true,
  unconfirmedTokens: true,
  sink: true,
  location: true,
  deliveredAt: true,
  alsoTried: true,
} satisfies Record<keyof Receipt, unknown>;
const MAX_LOGGED_ENTRIES = 20;

/**
 * Operators can do nothing about a mistake in a request, or a start that would create a second
 * token.
 */
const ONLY_FOR_CALLERS: readonly string[] = ['InvalidRequest', 'TokenExists'];

/** What callers who wait get: of a round, of a redelivery or of the run. */
export type Outcome = { receipt: Receipt } | { failure: ApplicationFailure };

export type RunStatus = ReturnType<typeof createRunStatus>;

const MEMO_FIELDS: readonly string[] = Object.keys({
  step: true,
  sink: true,
  deliveryId: true,
  publicApiKey: true,
  unconfirmedTokens: true,
  failure: true,
  nextAttemptAt: true,
} satisfies Record<keyof RunMemo, true>);

/** Tells whether a memo has a field that only the run itself may write. */
export function hasOwnMemoField(memo: object): boolean {
  return Object.keys(memo).some((name) => MEMO_FIELDS.includes(name));
}

/** The memo of a run that is not waiting after a failure. */
const NO_FAILURE = { failure: null, nextAttemptAt: null } satisfies Partial<RunMemo>;

/**
 * Keeps what a run says of itself: Query, outcome for callers, current details, memo, log and
 * metrics change together.
 */
export function createRunStatus() {
  let status: Status = {
    step: 'validating',
    description: 'validating the request',
    unconfirmedTokens: 0,
    deliveryId: null,
    nextAttemptAt: null,
  };
  let outcome: Outcome | null = null;
  let request: RunPlan['request'] | null = null;
  let isSearchable = false;
  let createUntil = '';
  let creatingSince = '';
  let token: SealedToken | null = null;
  /** What the run has written to its memo. */
  let memo: Partial<RunMemo> = {};

  function show(step: Step, description: string, nextAttemptAtMs?: number): void {
    const nextAttemptAt =
      nextAttemptAtMs === undefined ? null : new Date(nextAttemptAtMs).toISOString();
    status = { ...status, step, description: cut(description, MAX_MESSAGE_LENGTH), nextAttemptAt };
    setCurrentDetails(formatCurrentDetails(status, request, createUntil));
  }

  /** Writes what lists show of the run, as far as it changes. */
  function writeMemo(fields: Partial<RunMemo>): void {
    const written: Record<string, unknown> = memo;
    const changed = Object.entries(fields).filter(
      ([name, value]) => value !== (written[name] ?? null),
    );
    if (changed.length === 0) return;
    memo = { ...memo, ...fields };
    upsertMemo(Object.fromEntries(changed));
  }

  /** Writes why the run waits, and until when. */
  function writeFailure(
    { type, message }: NonNullable<RunMemo['failure']>,
    fields: Partial<RunMemo> = {},
  ): void {
    const failure = { type, message: cut(message, MAX_DETAIL_LENGTH) };
    writeMemo({ ...fields, failure, nextAttemptAt: status.nextAttemptAt });
  }

  function writeSearchAttributes(fields: SearchFields): void {
    if (isSearchable) upsertSearchAttributes(toSearchAttributes(fields));
  }

  /** Ends what the memo says of an open run. */
  function closeMemo(fields: Partial<RunMemo>): void {
    if (memo.step === 'undelivered') writeSearchAttributes({ state: null });
    writeMemo({ step: null, ...NO_FAILURE, ...fields });
  }

  setHandler(statusQuery, () => status);
  show(status.step, status.description);

  return {
    get current(): Readonly<Status> {
      return status;
    },

    /** The last outcome; null before the first. */
    get outcome(): Outcome | null {
      return outcome;
    },

    setPlan(plan: RunPlan, deadlineAtMs: number): void {
      request = plan.request;
      isSearchable = plan.searchAttributes ?? false;
      createUntil = new Date(deadlineAtMs).toISOString();
    },

    showCreating(valid: RunPlan['request']): void {
      const { credential, accessListIps } = valid;
      creatingSince = formatNow();
      show(
        'creating',
        `creating a link-token in ${describePair(valid)} with credential ${credential}` +
          ` and an access list of length ${accessListIps.length}`,
      );
    },

    countUnconfirmed(reason: string): void {
      const unconfirmedTokens = status.unconfirmedTokens + 1;
      status = { ...status, unconfirmedTokens };
      writeMemo({ unconfirmedTokens });
      writeSearchAttributes({ unconfirmedTokens });
      countUnconfirmedToken();
      const times = { startedAt: creatingSince, endedAt: formatNow() };
      log.warn('link-token unconfirmed', { ...getFacts({ ...request }), ...times, reason });
    },

    showWaitingToCreate(reason: string, nextAttemptAtMs: number): void {
      const message = `${reason}; Atlas may have created a token all the same`;
      show('creating', message, nextAttemptAtMs);
      writeFailure({ type: TOKEN_UNCONFIRMED, message });
    },

    setToken(sealedToken: SealedToken): void {
      token = sealedToken;
      const { deliveryId, publicApiKey = null } = sealedToken;
      status = { ...status, deliveryId };
      writeMemo({ deliveryId, publicApiKey, sink: request?.sink ?? null, ...NO_FAILURE });
      log.info('link-token created', getFacts({ ...request, ...token }));
    },

    showDelivering(sink: string): void {
      show('delivering', `delivering token ${status.deliveryId ?? ''} to sink ${sink}`);
    },

    reportUndelivered(
      { type, message }: { type: DeliveryFailureType; message: string },
      sink: string,
      nextRoundAtMs: number,
    ): void {
      const { unconfirmedTokens } = status;
      outcome = { failure: createFailure(type, message, { unconfirmedTokens }) };
      const facts = getFacts({ ...request, ...token, sink });
      log.warn('link-token not delivered', { ...facts, type, reason: message });
      show('undelivered', `${type}: ${message}`, nextRoundAtMs);
      if (memo.step !== 'undelivered') writeSearchAttributes({ state: 'undelivered' });
      writeFailure({ type, message }, { step: 'undelivered' });
    },

    showRevoking(publicApiKey: string): void {
      show('revoking', `deleting API key ${publicApiKey} of the token in Atlas`);
    },

    /** Its API key is gone: the run leaves no token. */
    forgetToken(): void {
      token = null;
      closeMemo({ deliveryId: null, publicApiKey: null, sink: null });
    },

    reportDelivered(receipt: Receipt): void {
      outcome = { receipt };
      log.info('link-token delivered', getFacts(receipt));
      show('delivered', `the token is in ${receipt.location}`);
      closeMemo({ sink: receipt.sink });
      countDelivery(receipt);
      countRun('delivered');
    },

    reportFailure(failure: ApplicationFailure | CancelledFailure): void {
      const { message } = failure;
      if (failure instanceof CancelledFailure) {
        outcome = { failure: createFailure('Cancelled', message) };
        show('cancelled', message);
        countRun('cancelledWithoutToken');
        return;
      }
      outcome = { failure };
      const type = String(failure.type);
      const level = ONLY_FOR_CALLERS.includes(type) ? 'warn' : 'error';
      // The message says what to do; Atlas's own `reason` in the details says less.
      log[level]('link-token job failed', {
        type,
        details: firstDetails(failure),
        reason: message,
      });
      show(type === 'Cancelled' ? 'cancelled' : 'failed', `${type}: ${message}`);
      closeMemo({});
      if (token) writeSearchAttributes({ state: 'abandoned' });
      countRun(type);
    },
  };
}

/** Formats the time of Temporal, which a workflow has instead of the worker's. */
const formatNow = () => new Date().toISOString();

/** Picks what the log says of a token, with long lists cut. */
function getFacts(receipt: Partial<Record<keyof Receipt, unknown>>): Record<string, unknown> {
  const facts: Record<string, unknown> = {};
  for (const name of Object.keys(LOGGED_FACTS) as (keyof Receipt)[]) {
    const value = receipt[name];
    if (value === undefined) continue;
    facts[name] = Array.isArray(value) ? value.slice(0, MAX_LOGGED_ENTRIES) : value;
  }
  return facts;
}

/** Formats what the Temporal UI shows of a run, in Markdown. */
function formatCurrentDetails(
  { step, description, unconfirmedTokens, nextAttemptAt }: Status,
  request: RunPlan['request'] | null,
  createUntil: string,
): string {
  const explanation =
    unconfirmedTokens > 0 ? ' (Atlas may have created them; the run never received them)' : '';
  // Markdown changes `--` and drops `<name>` outside backticks.
  const redeliver = commandLine('redeliver', workflowInfo().workflowId);
  const paragraphs = [
    `**${step}**: ${escapeMarkup(description)}`,
    step === 'undelivered' &&
      `Once the cause is fixed: \`${redeliver}\` (with \`--sink <name>\` to another sink)`,
    nextAttemptAt && `Next attempt: ${nextAttemptAt}`,
    step === 'creating' && `Creation gives up: ${createUntil}`,
    request && `Unconfirmed tokens: ${unconfirmedTokens}${explanation}`,
    request && formatRequest(request),
  ];
  return paragraphs.filter(Boolean).join('\n\n');
}

function formatRequest(request: RunPlan['request']): string {
  const { orgId, sourceOrgId, accessListIps, sink } = request;
  const lines = {
    orgId: `Atlas organization: ${orgId}`,
    sourceOrgId: `Source organization: ${sourceOrgId ?? 'not named'}`,
    accessListIps: `Entries of the access list: ${accessListIps.length}`,
    sink: `Sink: ${sink}`,
    ...forEachClaim((claim) => {
      const text = request[claim];
      return text && `Claimed ${CLAIMS[claim]}: ${quoteLiterally(text)}`;
    }),
  } satisfies Record<Exclude<keyof RunPlan['request'], 'credential' | 'warnings'>, unknown>;
  return Object.values(lines).filter(Boolean).join('  \n');
}

/** Escapes the text of Atlas or of a caller, so that it makes no link, no image and no HTML. */
function escapeMarkup(text: string): string {
  return text.replace(/[\\[<]/g, String.raw`\$&`);
}

/** Quotes the text of a caller, so that it does not act as Markdown. */
function quoteLiterally(text: string): string {
  return `\`${escapeControls(text).replaceAll('`', "'")}\``;
}
