import type { Info } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment, type MockActivityEnvironmentOptions } from '@temporalio/testing';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { createOrganizations } from '../../../src/config/organizations';
import type { FailureDetails } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { createSealer, makeKey } from '../../../src/secrets/sealing';
import { rejectionOf } from '../rejection';
import { ORG, SOURCE_ORG } from '../samples';

export const OWN_ID = workflowIdFor({ orgId: ORG, sourceOrgId: SOURCE_ORG });

/** An activity that anyone may call with anything. */
export type Untyped = (...args: unknown[]) => Promise<unknown>;

const keySet = JSON.stringify({ keys: [makeKey(new Date())] });
export const sealer = createSealer(() => keySet);

/** `ORG` alone is served, with credential `acme` and the sinks `drop`, `down` and `source`. */
export const organizations = createOrganizations({
  organizations: new Map([[ORG, { credential: 'acme', sinks: ['drop', 'down', 'source'] }]]),
  credentials: new Set(['default', 'acme']),
  sinks: new Set(['drop', 'down', 'secret', 'source']),
});

/** Every organization is served, with credential `default` and the sink `drop`. */
export const unmapped = createOrganizations({
  organizations: null,
  credentials: new Set(['default']),
  sinks: new Set(['drop']),
});

/** An attempt in the run of `ORG` and `SOURCE_ORG`, unless the info says otherwise. */
export function attemptIn(
  info: Partial<Info> = {},
  client?: Client,
  writeLog: (entry: LogEntry) => void = () => undefined,
): MockActivityEnvironment {
  const now = Date.now();
  const attempt = {
    workflowExecution: { workflowId: OWN_ID, runId: 'run' },
    workflowType: WORKFLOW_TYPES.prepare,
    scheduledTimestampMs: now,
    currentAttemptScheduledTimestampMs: now,
    scheduleToCloseTimeoutMs: 3_600_000,
    attempt: 1,
    ...info,
  };
  const options: MockActivityEnvironmentOptions = {
    logger: new DefaultLogger('INFO', writeLog),
  };
  if (client) options.client = client;
  return new MockActivityEnvironment(attempt, options);
}

/** Of a workflow type that is not ours: an unreadable input fails for good. */
export const FOREIGN = { workflowType: 'mine' };

/** Returns a request during which the attempt is stopped. It ends when its signal is aborted. */
export function stopDuring(env: MockActivityEnvironment, details: object) {
  return (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      env.cancel('CANCELLED', details as never);
    });
}

export const failureOf = (work: Promise<unknown>) =>
  rejectionOf(work) as Promise<ApplicationFailure>;

/** Problems that an InvalidRequest names. */
export async function problemsOf(
  work: Promise<unknown>,
): Promise<[field: string, description: string][]> {
  const failure = await failureOf(work);
  expect(failure).toMatchObject({ type: 'InvalidRequest', nonRetryable: true });
  const [{ fields = [] }] = failure.details as [FailureDetails];
  return fields.map(({ field, description }) => [field, description]);
}

/** Fields that an InvalidRequest names. */
export const refusedFields = async (work: Promise<unknown>): Promise<string[]> =>
  (await problemsOf(work)).map(([field]) => field);
