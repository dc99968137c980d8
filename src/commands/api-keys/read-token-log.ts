import { z } from 'zod';
import { organizationId, sinkName, timestamp } from '../../contract/schemas';
import { workflowIdFor } from '../../contract/workflow-id';
import { streamLines } from '../cli/read-lines';
import {
  spanOfArrival,
  spanOfAttempt,
  spanOfCreation,
  type AttemptOrigin,
  type Origin,
  type TokenOrigin,
} from './match-keys';

const pair = {
  orgId: organizationId,
  sourceOrgId: organizationId.nullish(),
  runId: z.uuid().nullish(),
};

/** The log line of an attempt, which its run may never learn of. */
const RECEIVED = 'link-token received';
/** The log lines of a token. The second has the times of its creation, the last its location. */
const TOKEN_MESSAGES = [
  RECEIVED,
  'link-token created',
  'link-token not delivered',
  'link-token delivered',
] as const;

const tokenLine = z.object({
  ...pair,
  msg: z.enum(TOKEN_MESSAGES),
  deliveryId: z.uuid(),
  createdAt: timestamp,
  startedAt: timestamp.optional(),
  endedAt: timestamp.optional(),
  sink: sinkName.nullish(),
  location: z.string().nullish(),
});

const attemptLine = z.object({
  ...pair,
  msg: z.literal('link-token unconfirmed'),
  startedAt: timestamp,
  endedAt: timestamp,
  reason: z.string().catch('no reason recorded'),
});

/**
 * Reads what the workers' log lines say of the tokens and the unconfirmed attempts of an
 * organization.
 *
 * @throws CommandError when a file cannot be read.
 */
export async function readTokenLog(files: readonly string[], orgId: string): Promise<Origin[]> {
  const origins: Origin[] = [];
  for (const file of files) {
    for await (const { text } of streamLines('--record', file, undefined)) {
      const origin = parseLine(text, orgId);
      if (origin) origins.push(origin);
    }
  }
  return origins;
}

/**
 * Reads a log line; null for one of anything else, or that a killed worker left unfinished.
 */
export function parseLine(text: string, orgId: string): Origin | null {
  // Spares the parsing of most lines.
  if (!text.includes(orgId)) return null;
  const value = parseJson(text);
  const token = tokenLine.safeParse(value).data;
  if (token?.orgId === orgId) return toToken(token);
  const attempt = attemptLine.safeParse(value).data;
  return attempt?.orgId === orgId ? toAttempt(attempt) : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function toToken(line: z.output<typeof tokenLine>): TokenOrigin {
  const { deliveryId, createdAt, startedAt, endedAt, runId = null, sink = null, location } = line;
  return {
    type: line.msg === RECEIVED ? 'received' : 'token',
    state: location ? 'delivered' : 'unknown',
    deliveryId,
    createdAt,
    sink: location ? sink : null,
    workflowId: workflowIdFor(line),
    runId,
    span:
      startedAt && endedAt
        ? spanOfCreation({ startedAt, endedAt }, createdAt)
        : spanOfArrival(createdAt),
  };
}

function toAttempt(line: z.output<typeof attemptLine>): AttemptOrigin {
  const { startedAt, endedAt, reason, runId = null } = line;
  const workflowId = workflowIdFor(line);
  const span = spanOfAttempt({ startedAt, endedAt });
  return {
    type: 'attempt',
    state: 'unconfirmed',
    startedAt,
    endedAt,
    reason,
    workflowId,
    runId,
    span,
  };
}
