import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { revocationSchema, type Revoked } from '../../contract/schemas';
import { parseWorkflowId, revocationIdFor } from '../../contract/workflow-id';
import { WORKFLOW_TYPES, type RevokeLinkToken } from '../../contract/workflows';
import { toObject } from '../../shared/object';
import { formatCount } from '../../shared/text';
import { CommandError, EXIT_CODES, usageError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import type { Output } from '../cli/output';
import { readLines, type Stdin } from '../cli/read-lines';
import { createBulk, type BulkItem, type RunOutcome } from './bulk';
import { findMissingWorker } from './why-stuck';

interface Token extends BulkItem {
  orgId: string;
  publicApiKey: string;
  createdAt?: string | null | undefined;
}

/** Where a line may name a token, beside the line itself. */
const PLACES = ['receipt', 'details'] as const;

/**
 * Reads the tokens of the file that `--from` names. It passes over a line that names none, such as
 * a summary, a run that left nothing, or a key that is no orphan.
 *
 * @throws CommandError with exit code 2 when a line is not JSON, or no line names a token.
 */
export async function readTokens(file: string, stdin: Stdin): Promise<Token[]> {
  const tokens = new Map<string, Token>();
  for (const { line, text } of await readLines('--from', file, stdin)) {
    const token = parseToken(text, line);
    if (token) tokens.set(token.workflowId, token);
  }
  if (tokens.size > 0) return [...tokens.values()];
  throw usageError(`nothing was revoked: no line of --from ${file} has orgId and publicApiKey`);
}

function parseToken(text: string, line: number): Token | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw usageError(`nothing was revoked: line ${line} of --from is not a JSON object`);
  }
  const outer = toObject(value);
  // A line of `list` has the pair in its workflow id only.
  const pair = parseWorkflowId(String(outer['workflowId']));
  for (const inner of [outer, ...PLACES.map((place) => toObject(outer[place]))]) {
    const parsed = revocationSchema.safeParse({ orgId: pair?.orgId, ...outer, ...inner });
    if (parsed.success) return { line, workflowId: revocationIdFor(parsed.data), ...parsed.data };
  }
  return null;
}

/**
 * Asks once on a terminal; a pipe or a script is not asked.
 *
 * @throws CommandError when the answer is not yes.
 */
export async function confirmRevocation(
  count: number,
  stdin: Stdin,
  output: Output,
): Promise<void> {
  if (!stdin || !('isTTY' in stdin) || !stdin.isTTY) return;
  output.ask(
    `delete the API keys of ${formatCount(count, 'token')}? They cannot be restored. [y/N]`,
  );
  const lines = createInterface({ input: stdin });
  try {
    const [answer] = (await once(lines, 'line', { signal: output.signal })) as [string];
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    lines.close();
  }
  throw new CommandError('nothing was revoked');
}

/** Revokes tokens, a few at once. What was revoked before is so again, so it can be repeated. */
export async function revokeAll(context: CommandContext, tokens: readonly Token[]): Promise<void> {
  const { client, taskQueue, output } = context;
  output.note(await findMissingWorker(client, taskQueue));
  output.setFollowUp('to revoke the rest, repeat the command');
  const bulk = createBulk(output, tokens.length, 'token');
  await bulk.showProgress(
    (count) => `${count} to revoke`,
    () => bulk.forEach(tokens, async (token) => toRevoked(await revoke(context, token))),
  );
  bulk.printSummary();
}

async function revoke({ client, taskQueue }: CommandContext, token: Token): Promise<Revoked> {
  const { orgId, publicApiKey, createdAt, workflowId } = token;
  const run = await client.workflow
    .start<RevokeLinkToken>(WORKFLOW_TYPES.revoke, {
      workflowId,
      taskQueue,
      args: [{ orgId, publicApiKey, createdAt }],
      staticSummary: `revoke the token of API key ${publicApiKey} in ${orgId}`,
      priority: { fairnessKey: orgId },
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    })
    .catch((error: unknown) => {
      // It was revoked before.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      return client.workflow.getHandle<RevokeLinkToken>(workflowId);
    });
  try {
    return await run.result();
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : error;
    if (!(cause instanceof ApplicationFailure)) throw error;
    const { type, message } = cause;
    const exitCode = type === 'RevocationRefused' ? EXIT_CODES.refused : EXIT_CODES.failed;
    throw new CommandError(message, exitCode, { type });
  }
}

function toRevoked({ outcome, publicApiKey, keyId, at }: Revoked): RunOutcome {
  const reason =
    outcome === 'deleted' ? `API key ${publicApiKey} was deleted` : 'its API key was gone';
  return { action: 'revoked', reason, ...{ outcome, publicApiKey, keyId, at } };
}
