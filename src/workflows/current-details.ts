import { workflowInfo } from '@temporalio/workflow';
import type { Status, ValidRequest } from '../contract/schemas';
import { commandLine } from '../shared/command-line';
import { escapeControls } from '../shared/text';

/** Formats what the Temporal UI shows of a run, in Markdown. */
export function formatCurrentDetails(
  { step, description, unconfirmedTokens, nextAttemptAt }: Status,
  request: ValidRequest | null,
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

function formatRequest(request: ValidRequest): string {
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
