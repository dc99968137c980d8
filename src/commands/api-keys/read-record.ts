import { z } from 'zod';
import { organizationId, publicApiKey, sinkName, timestamp } from '../../contract/schemas';
import { workflowIdFor } from '../../contract/workflow-id';
import { usageError } from '../cli/command-error';
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

/** Any line of a worker's log. */
const anyLine = z.object({ time: timestamp, msg: z.string() });

const HOW =
  'write the lines as the worker prints them, one JSON object each, not compressed,' +
  ' and without what Docker or kubectl --prefix adds';

/** What the workers' log lines say of an organization's tokens and attempts. */
export interface LogRecord extends Pick<Known, 'tokens' | 'attempts'> {
  /** Lines of workers, about anything. */
  lineCount: number;
  /** Lines of anything else, such as one that a killed worker left unfinished. */
  otherCount: number;
  /** The time of the earliest line, in milliseconds since 1970; Infinity without any. */
  firstMs: number;
}

/**
 * Reads the record: the workers' log lines. A token is in it once for each of its lines.
 *
 * @throws CommandError when a file cannot be read, or has no line of a worker: a file in another
 *   form must not pass for one that names no token.
 */
export async function readRecord(files: readonly string[], orgId: string): Promise<LogRecord> {
  const tokens: Token[] = [];
  const attempts: Attempt[] = [];
  let [lineCount, otherCount, firstMs] = [0, 0, Infinity];
  for (const file of files) {
    const lineCountBefore = lineCount;
    for await (const { text } of streamLines('--record', file, undefined)) {
      const value = parseJson(text);
      const line = anyLine.safeParse(value).data;
      if (line) {
        lineCount += 1;
        firstMs = Math.min(firstMs, Date.parse(line.time));
      } else {
        otherCount += 1;
      }
      // Spares the parsing of most lines.
      if (!line || !text.includes(orgId)) continue;
      const token = tokenLine.safeParse(value).data;
      if (token?.orgId === orgId) tokens.push(toToken(token));
      const attempt = attemptLine.safeParse(value).data;
      if (attempt?.orgId === orgId) attempts.push(toAttempt(attempt));
    }
    if (lineCount === lineCountBefore) {
      throw usageError(`--record ${file} has no line of a worker's log: ${HOW}`);
    }
  }
  return { tokens, attempts, lineCount, otherCount, firstMs };
}

/** Parses a line; null for one that is not JSON. */
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
    sinksTried: sink === null ? null : [sink],
    workflowId: workflowIdFor(line),
    runId,
  };
}

function toAttempt(line: z.output<typeof attemptLine>): Attempt {
  const { startedAt, endedAt, reason, runId = null } = line;
  return { startedAt, endedAt, reason, workflowId: workflowIdFor(line), runId };
}
