import type { Client } from '@temporalio/client';
import { organizationId, type PrepareRequest } from '../../contract/schemas';
import { readRun, type RunRef, type UnconfirmedAttempt } from '../../temporal/run-history';

/** Allows for a difference between the clocks of Temporal and Atlas. */
const CLOCK_TOLERANCE_MS = 10_000;

/** The attempts of a run that may have created tokens which the run never received. */
export interface Attempts {
  attempts: ReturnType<typeof describeKey>[];
  /** The token that did arrive: its key is accounted for. */
  received: { deliveryId: string; createdAt: string } | null;
}

export async function readAttempts(client: Client, run: RunRef): Promise<Attempts> {
  const { request, unconfirmedAttempts, token } = await readRun(client, run);
  const orgId = organizationId.safeParse((request as PrepareRequest).orgId).data ?? '<id>';
  return {
    attempts: unconfirmedAttempts.map((attempt) => describeKey(attempt, orgId)),
    received: token && { deliveryId: token.deliveryId, createdAt: token.createdAt },
  };
}

/** Adds where to look for the key of a token that the attempt created: the range of its id, and events of Atlas. */
function describeKey(attempt: UnconfirmedAttempt, orgId: string) {
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
