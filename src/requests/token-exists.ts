import { differingFields } from '../contract/compare-requests';
import { terminalFailure } from '../shared/application-failure';
import { startAgainCommand } from '../shared/command-line';
import { cutAndEscape } from '../shared/text';
import type { EarlierToken } from '../temporal/earlier-token';

const MAX_LOCATION_LENGTH = 1000;

/** Builds the failure of a run whose workflow id has a delivered token already. */
export function tokenExists(workflowId: string, token: EarlierToken, request: object) {
  const { runId, receipt } = token;
  return terminalFailure('TokenExists', describeEarlierToken(workflowId, token, request), {
    runId,
    deliveryId: receipt?.deliveryId ?? null,
    publicApiKey: receipt?.publicApiKey ?? null,
    receipt,
  });
}

/**
 * Describes the token, the difference between the earlier request and this one, and what to do.
 *
 * @param request the new request, not validated yet; null when there is none.
 */
export function describeEarlierToken(
  workflowId: string,
  { runId, receipt, request: earlier }: EarlierToken,
  request: object | null,
): string {
  const fields = request ? differingFields(earlier, request) : [];
  const difference =
    fields.length > 0 ? ` That run's request differs in ${fields.join(', ')}.` : '';
  const where = receipt ? `: it is in ${cutAndEscape(receipt.location, MAX_LOCATION_LENGTH)}` : '';
  const start = startAgainCommand(workflowId);
  return (
    `run ${runId} delivered a token for these organizations${where}.${difference}` +
    ` Start with "again": "${runId}" (\`${start}\`) to create another token.`
  );
}
