import { differingFields } from '../contract/compare-requests';
import { terminalFailure } from '../shared/application-failure';
import { commandLine, deleteKeyOf } from '../shared/command-line';
import { cutAndEscape } from '../shared/text';
import type { EarlierToken } from '../temporal/earlier-token';

const MAX_LOCATION_LENGTH = 1000;

/** Builds the failure of a run whose workflow id has a token already. */
export function tokenExists(workflowId: string, token: EarlierToken, request: object) {
  const { runId, state, deliveryId, publicApiKey, receipt } = token;
  const details = { runId, state, deliveryId, publicApiKey, receipt };
  return terminalFailure('TokenExists', describeEarlierToken(workflowId, token, request), details);
}

/**
 * Describes the token, the difference between the earlier request and this one, and what to do.
 *
 * @param request the new request, not validated yet; null when there is none.
 */
export function describeEarlierToken(
  workflowId: string,
  { state, runId, deliveryId, publicApiKey, sinksTried, receipt, request: earlier }: EarlierToken,
  request: object | null,
): string {
  const fields = request ? differingFields(earlier, request) : [];
  const difference =
    fields.length > 0 ? ` That run's request differs in ${fields.join(', ')}.` : '';
  const start = commandLine('start', workflowId, '--again', '…');
  const again = `Start with "again": "${runId}" (\`${start}\`) to create another token.`;
  if (state === 'delivered') {
    const where = receipt
      ? `: it is in ${cutAndEscape(receipt.location, MAX_LOCATION_LENGTH)}`
      : '';
    return `run ${runId} delivered a token for these organizations${where}.${difference} ${again}`;
  }
  return (
    `run ${runId} ended with ${deliveryId ? `token ${deliveryId}` : 'a token'},` +
    ' which may not have arrived:' +
    ` ${deleteKeyOf(publicApiKey, sinksTried)}.${difference} ${again}`
  );
}
