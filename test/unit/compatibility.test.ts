import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { createActivities } from '../../src/activities';
import { writeCreationFailure, writeRetryableFailure } from '../../src/activities/attempt-retries';
import { createLinkTokenActivity } from '../../src/activities/create-link-token';
import { deliverLinkTokenActivity } from '../../src/activities/deliver-link-token';
import { validateRequestActivity } from '../../src/activities/validate-request';
import type { AdminApi } from '../../src/atlas/admin-api';
import { responseError } from '../../src/atlas/outcomes';
import { addAttemptTimeouts } from '../../src/config/attempt-timeouts';
import type { Services } from '../../src/config/services';
import { CLAIM_NAMES, CLAIMS } from '../../src/contract/claims';
import * as failureTypes from '../../src/contract/failure-types';
import * as contract from '../../src/contract/schemas';
import type { Receipt } from '../../src/contract/schemas';
import { STEPS } from '../../src/contract/states';
import { workflowIdFor } from '../../src/contract/workflow-id';
import * as workflows from '../../src/contract/workflows';
import { createSealer } from '../../src/secrets/sealing';
import * as shared from '../../src/shared/activities';
import { NOTHING_DONE, readAttemptFailure } from '../../src/shared/attempt-failure';
import type { Sink } from '../../src/sinks/sink';
import { linkTokenCreatedSchema } from '../../src/sinks/webhook';
import { isRedelivery } from '../../src/workflows/updates';
import { attemptIn, organizations, type Untyped } from './activities/attempt';
import { SINKS, load } from './config/configuration';
import { BACKOFF, ORG, SOURCE_ORG, aSink } from './samples';
import { clientOf } from './temporal/scripted-server';

/*
 * What histories, memos, sealed tokens and callers hold on to, as each release wrote it. The values
 * are in JSON, which no renaming in the code touches. What today's code writes equals the values of the
 * newest release, and has at least those of each earlier one. A claim is in `names` only: the other
 * values show how claims are stored. CONTRIBUTING.md says when to add a file.
 */

/** Creates the retries of the default settings. */
const defaultRetries = () => addAttemptTimeouts(load(SINKS));

const FOLDER = path.join(__dirname, 'compatibility');
const read = (file: string) => readFileSync(path.join(FOLDER, file), 'utf8');
/** The oldest first. */
const RELEASES = readdirSync(FOLDER)
  .filter((file) => file !== 'checksums.json')
  .map((file) => path.basename(file, '.json'))
  .sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));

/** An activity with the arguments of its input. */
interface StoredActivity {
  input: unknown[];
  result?: unknown;
}

interface Stored {
  names: Record<string, unknown> & { workflowId: string };
  arguments: Record<'prepareLiveMigration' | 'prepareOnSchedule', unknown[]>;
  updates: Record<'awaitDelivery' | 'redeliver', unknown[]>;
  status: unknown;
  memo: Record<string, unknown>;
  activities: Record<keyof shared.Activities, StoredActivity>;
  /** The details of failed attempts: for callers, and the facts for the workflow. */
  attemptFailures: Record<'creation' | 'delivery', [Record<string, unknown>, object]>;
  failureDetails: Record<string, unknown>;
  sealedToken: { keySet: unknown; workflowId: string; jwe: string; opens: unknown };
  receipt: { location: string };
  scheduledResults: Record<string, unknown>;
  linkTokenCreated: unknown;
}

it('the stored values of each release have the checksum in checksums.json', () => {
  const checksums = RELEASES.map((release) => {
    const values = read(`${release}.json`);
    return [release, createHash('sha256').update(values).digest('hex')];
  });
  expect(Object.fromEntries(checksums)).toEqual(JSON.parse(read('checksums.json')));
});

/** The stored values, each with the schema of this release that reads it. */
function rowsOf({ activities, arguments: args, updates, ...stored }: Stored): Row[] {
  const all = (what: string, values: object, schema: Schema): Row[] =>
    Object.entries(values).map(([name, value]: [string, unknown]) => [
      `${what} (${name})`,
      schema,
      value,
    ]);
  return [
    ['the request of a caller', contract.prepareRequestSchema, args.prepareLiveMigration[0]],
    ['the input of a schedule', contract.scheduledRequestSchema, args.prepareOnSchedule[0]],
    ['the request of awaitDelivery', contract.prepareRequestSchema, updates.awaitDelivery[0]],
    ['the status', contract.statusSchema, stored.status],
    ['the memo', contract.runMemoSchema, stored.memo],
    ['a receipt', contract.receiptSchema, stored.receipt],
    ['the event of the webhook', linkTokenCreatedSchema, stored.linkTokenCreated],
    ['the report of checkWorker', contract.checkReportSchema, activities.runChecks.result],
    ['the result of validateRequest', shared.runPlanSchema, activities.validateRequest.result],
    ['the input of createLinkToken', shared.createInputSchema, activities.createLinkToken.input[0]],
    [
      'the result of createLinkToken',
      contract.sealedTokenSchema,
      activities.createLinkToken.result,
    ],
    [
      'the input of deliverLinkToken',
      shared.deliverInputSchema,
      activities.deliverLinkToken.input[0],
    ],
    ['the input of checkLink', shared.linkCheckSchema, activities.checkLink.input[0]],
    ['the result of checkLink', shared.linkStateSchema, activities.checkLink.result],
    ...all('details of a failure', stored.failureDetails, contract.failureDetailsSchema),
    ...all('a result of a schedule', stored.scheduledResults, contract.scheduledResultSchema),
  ];
}

/** Temporal's description of a run in which the attempt has begun. */
const OPEN_RUN = { pendingActivities: [{ activityId: 'test', lastStartedTime: { seconds: 0 } }] };

describe.each(RELEASES)('what release %s wrote', (release) => {
  const stored = JSON.parse(read(`${release}.json`)) as Stored;
  const { activities, sealedToken } = stored;
  const sealer = createSealer(() => JSON.stringify(sealedToken.keySet));
  const sinks = new Map<string, Sink>([
    ['drop', aSink({ deliver: () => Promise.resolve(stored.receipt.location) })],
  ]);
  const info = { workflowExecution: { workflowId: stored.names.workflowId, runId: 'run' } };

  /** What today's code must write: the values of the newest release, or at least those of an earlier one. */
  const expectation = (value: unknown) => (release === RELEASES.at(-1) ? value : holding(value));

  /** Runs an activity of this release with stored input. */
  const run = (activity: unknown, input: unknown[]) =>
    attemptIn(info, clientOf({ describe: () => OPEN_RUN, list: () => ({ executions: [] }) })).run<
      unknown[],
      unknown,
      Untyped
    >(activity as Untyped, ...input);

  it.each(rowsOf(stored))('is read: %s', (_what, schema, value) => {
    expect(asStored(schema.parse(value))).toEqual(value);
  });

  it.each(Object.entries(stored.attemptFailures))(
    'is read: the details of a failed attempt (%s)',
    (_what, details) => {
      const failure = ApplicationFailure.nonRetryable('', 'AtlasUnavailable', ...details);
      const [forCallers, facts] = details;
      expect(readAttemptFailure(failure)).toMatchObject({ details: forCallers, ...facts });
    },
  );

  it('is read: a sealed token', async () => {
    const opened = await sealer.open(sealedToken.jwe, sealedToken.workflowId);
    expect(asStored(opened)).toEqual(sealedToken.opens);
  });

  it('is accepted: a redelivery', () => {
    expect(isRedelivery(stored.updates.redeliver[0])).toBe(true);
  });

  it('is what this release writes: names', () => {
    const { awaitDeliveryUpdate, redeliverUpdate, statusQuery } = workflows;
    const services = { atlas: {}, sealer, sinks, organizations } as unknown as Services;
    expect({
      workflowTypes: Object.values(workflows.WORKFLOW_TYPES),
      updates: [awaitDeliveryUpdate.name, redeliverUpdate.name],
      query: statusQuery.name,
      activities: Object.keys(createActivities(services, defaultRetries(), 0)),
      steps: STEPS,
      claims: CLAIM_NAMES,
      failureTypes: failureTypes.FAILURE_TYPES,
      deliveryFailureTypes: failureTypes.DELIVERY_FAILURE_TYPES,
      refusalTypes: failureTypes.REFUSAL_TYPES,
      workflowId: workflowIdFor({ orgId: ORG, sourceOrgId: SOURCE_ORG }),
    }).toEqual(expectation(stored.names));
  });

  it('is what this release writes: the result of validateRequest', async () => {
    const validateRequest = validateRequestActivity({ organizations, sinks }, defaultRetries());
    const { input, result } = activities.validateRequest;
    expect(asStored(await run(validateRequest, input))).toEqual(expectation(result));
  });

  it('is what this release writes: the fields of the result of createLinkToken', async () => {
    const atlas = {
      createLinkToken: () => Promise.resolve('mdb-link-token'),
    } as unknown as AdminApi;
    const createLinkToken = createLinkTokenActivity({ atlas, sealer, organizations }, BACKOFF);
    const { input, result } = activities.createLinkToken;
    const created = await run(createLinkToken, input);
    expect(keysOf(asStored(created))).toEqual(expectation(keysOf(result)));
  });

  it('is what this release writes: the result of deliverLinkToken, except its time', async () => {
    const deliverLinkToken = deliverLinkTokenActivity({ sealer, sinks, organizations }, BACKOFF);
    const { input, result } = activities.deliverLinkToken;
    const receipt = (await run(deliverLinkToken, input)) as Receipt;
    const { deliveredAt } = result as Receipt;
    expect(asStored({ ...receipt, deliveredAt })).toEqual(expectation(result));
  });

  it('is what this release writes: the details of failed attempts', () => {
    const timing = { info: attemptIn().context.info, failureCount: 1, backoff: BACKOFF };
    const { errorCode, reason, detail } = stored.attemptFailures.creation[0];
    const json = { error: 503, errorCode, reason, detail };
    const response = { status: 503, json, retryAfterMs: 60_000 };
    const creation = writeCreationFailure(
      responseError('linkTokens', 'default', response).failure,
      timing,
    );
    const facts = { ...NOTHING_DONE, retryAfterMs: 60_000 };
    const unavailable = { ...facts, type: 'SinkUnavailable', message: '', details: {} };
    const delivery = writeRetryableFailure(unavailable, timing);
    const written = [creation, delivery].map(({ details }) => asStored(details) as object[]);
    const { creation: ofCreation, delivery: ofDelivery } = stored.attemptFailures;
    const keys = [ofCreation, ofDelivery].map((details) => expectation(details.map(keysOf)));
    expect(written.map((details) => details.map(keysOf))).toEqual(keys);
  });
});

/** Matches what has at least the entries of a value: a later release may add to it. */
function holding(value: unknown): unknown {
  if (Array.isArray(value)) return expect.arrayContaining(value.map(holding));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, entry]) => [name, holding(entry)]);
  return expect.objectContaining(Object.fromEntries(entries) as object);
}

type Schema = { parse: (value: unknown) => unknown };
type Row = [what: string, schema: Schema, value: unknown];

/** What Temporal stores of a value, without the claims that its caller did not make. */
const asStored = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, entry: unknown) =>
      entry === null && key in CLAIMS ? undefined : entry,
    ),
  );
const keysOf = (value: unknown) => Object.keys(value as object).sort();
