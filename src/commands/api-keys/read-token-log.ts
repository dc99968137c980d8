import { z } from 'zod';
import { organizationId, publicApiKey, sinkName, timestamp } from '../../contract/schemas';
import { workflowIdFor } from '../../contract/workflow-id';
import { streamLines } from '../cli/read-lines';
import type { Attempt, Known, Token } from './join-keys';

const pair = {
  orgId: organizationId,
  sourceOrgId: organizationId.nullish(),
  runId: z.uuid().nullish(),
};

const tokenLine = z.object({
  ...pair,
  msg: z.enum([
    'link-token received',
    'link-token created',
    'link-token not delivered',
    'link-token delivered',
  ]),
  deliveryId: z.uuid(),
  publicApiKey: publicApiKey.catch(null),
  createdAt: timestamp,
  sink: sinkName.nullish(),
  /** In the line of a delivery only. */
  location: z.string().nullish(),
});

const attemptLine = z.object({
  ...pair,
  msg: z.literal('link-token unconfirmed'),
  startedAt: timestamp,
  endedAt: timestamp,
  reason: z.string().catch('no reason recorded'),
});

const anyLine = z.object({ time: timestamp });

/**
 * Reads what the workers' log lines say of the tokens and the unconfirmed attempts of an
 * organization. A token is there once for each of its lines. The record begins with the first line
 * of any file.
 *
 * @throws CommandError when a file cannot be read.
 */
export async function readTokenLog(files: readonly string[], orgId: string): Promise<Known> {
  const tokens: Token[] = [];
  const attempts: Attempt[] = [];
  let sinceMs = Infinity;
  for (const file of files) {
    let firstTime: string | undefined;
    for await (const { text } of streamLines('--record', file, undefined)) {
      // Spares the parsing of most lines.
      if (firstTime !== undefined && !text.includes(orgId)) continue;
      const value = parseJson(text);
      firstTime ??= anyLine.safeParse(value).data?.time;
      const token = tokenLine.safeParse(value).data;
      if (token?.orgId === orgId) tokens.push(toToken(token));
      const attempt = attemptLine.safeParse(value).data;
      if (attempt?.orgId === orgId) attempts.push(toAttempt(attempt));
    }
    if (firstTime !== undefined) sinceMs = Math.min(sinceMs, Date.parse(firstTime));
  }
  return { sinceMs, tokens, attempts };
}

/** Parses a line; null for one of anything else, or that a killed worker left unfinished. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function toToken(line: z.output<typeof tokenLine>): Token {
  const { deliveryId, createdAt, runId = null, sink = null, location } = line;
  return {
    state: location ? 'delivered' : 'unknown',
    deliveryId,
    publicApiKey: line.publicApiKey,
    createdAt,
    sink: location ? sink : null,
    workflowId: workflowIdFor(line),
    runId,
  };
}

function toAttempt(line: z.output<typeof attemptLine>): Attempt {
  const { startedAt, endedAt, reason, runId = null } = line;
  return { startedAt, endedAt, reason, workflowId: workflowIdFor(line), runId };
}
