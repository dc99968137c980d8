import type { Client } from '@temporalio/client';
import { ORGANIZATION_ID } from '../../contract/names';
import { readRun, type RunRef, type UnconfirmedAttempt } from '../../temporal/run-history';

/** Allows for a difference between the clocks of Temporal and Atlas. */
const CLOCK_TOLERANCE_MS = 10_000;

interface Attempt extends UnconfirmedAttempt {
  /** The lowest first eight digits of the id of a key that was created then: seconds since 1970. */
  keyIdFrom: string;
  /** The highest ones. */
  keyIdTo: string;
  /** Lists the organization's events of that time. */
  eventsCommand: string;
}

/** The attempts of a run that may have created tokens which the run never received. */
export interface Attempts {
  attempts: Attempt[];
  /** The token that did arrive: its key is accounted for. */
  received: { deliveryId: string; createdAt: string } | null;
}

/** Reads the attempts behind the unconfirmed tokens of a run. */
export async function readAttempts(client: Client, run: RunRef): Promise<Attempts> {
  const { request, unconfirmedAttempts, token } = await readRun(client, run);
  const { orgId } = request as { orgId?: unknown };
  const org = typeof orgId === 'string' && ORGANIZATION_ID.test(orgId) ? orgId : '<id>';
  return {
    attempts: unconfirmedAttempts.map((attempt) => describeKey(attempt, org)),
    received: token && { deliveryId: token.deliveryId, createdAt: token.createdAt },
  };
}

function describeKey(attempt: UnconfirmedAttempt, orgId: string): Attempt {
  const fromMs = Date.parse(attempt.startedAt) - CLOCK_TOLERANCE_MS;
  const toMs = Date.parse(attempt.endedAt) + CLOCK_TOLERANCE_MS;
  const [from, to] = [fromMs, toMs].map((ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`);
  return {
    ...attempt,
    keyIdFrom: toIdPrefix(fromMs),
    keyIdTo: toIdPrefix(toMs),
    eventsCommand: `atlas api events listOrgEvents --orgId ${orgId} --minDate ${from} --maxDate ${to}`,
  };
}

/** Converts a time to the first eight digits of an ObjectId, which are the seconds since 1970. */
const toIdPrefix = (timeMs: number) => Math.floor(timeMs / 1000).toString(16);

/** Describes the attempts in lines for a person. */
export function describeAttempts({ attempts, received }: Attempts): string[] {
  return [
    ...attempts.flatMap(({ startedAt, endedAt, reason, keyIdFrom, keyIdTo, eventsCommand }) => [
      `  ${startedAt} to ${endedAt}: ${reason}`,
      `    a key made then has an id from ${keyIdFrom}… to ${keyIdTo}…; the events of that time: ${eventsCommand}`,
    ]),
    ...(received
      ? [`  token ${received.deliveryId} arrived at ${received.createdAt}: its key is accounted for`]
      : []),
  ];
}
