import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { escapeControls, formatHours, shellQuote } from '../shared/text';
import { findGrpcError } from '../temporal/grpc';
import { findListRefusal, readRetentionMs, visibilityQuery } from '../temporal/list-runs';
import { failedCheck, ok, warning, type CheckResult } from './check-result';

/** Retention that leaves time to find the API key of a token over a weekend. */
const RECOMMENDED_RETENTION_MS = 72 * 3_600_000;

/** @throws when Temporal cannot be reached. */
export async function checkNamespace(client: Client, address: string): Promise<CheckResult> {
  const { namespace } = client.options;
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  const retentionMs = await readRetentionMs(client);
  const server =
    `server ${serverVersion || 'of unknown version'} at ${address}, namespace ${namespace},` +
    ` which retains closed runs for ${formatHours(retentionMs)}`;
  if (retentionMs >= RECOMMENDED_RETENTION_MS) return ok(server);
  return warning(
    `${server}: set at least ${formatHours(RECOMMENDED_RETENTION_MS)},` +
      ' so that the API key of a token that was not delivered can still be found:' +
      ` temporal operator namespace update --namespace ${shellQuote(namespace)} --retention 72h`,
  );
}

const LIST_TIMEOUT_MS = 4000;

/**
 * Checks the list of runs, which each run of `prepareLiveMigration` needs before it creates a
 * token.
 */
export async function checkRunList(client: Client): Promise<CheckResult> {
  const { namespace } = client.options;
  const query = visibilityQuery({ WorkflowType: WORKFLOW_TYPES.prepare });
  try {
    await client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () =>
      client.workflowService.listWorkflowExecutions({ namespace, query, pageSize: 1 }),
    );
    return ok('Temporal lists runs');
  } catch (error) {
    const reason = escapeControls(findGrpcError(error)?.details || (error as Error).message);
    const what = `list the runs of namespace ${namespace} (${reason})`;
    const refusal = findListRefusal(error);
    if (refusal) {
      return failedCheck(
        `Temporal refuses to ${what}: ${refusal}; without the list no run creates a token`,
      );
    }
    return failedCheck(
      `Temporal did not ${what}:` +
        ' check its visibility store and the limit frontend.namespaceRPS.visibility;' +
        ' until it lists runs, new runs wait',
      { permanent: false },
    );
  }
}
