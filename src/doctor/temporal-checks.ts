import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { SEARCH_ATTRIBUTE_CONDITIONS, createAttributesCommands } from '../shared/search-attributes';
import { escapeControls, formatHours, shellQuote } from '../shared/text';
import { GRPC, findGrpcCode, findGrpcError } from '../temporal/grpc';
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
 *
 * @param searchAttributes whether the namespace must have the search attributes of runs.
 */
export async function checkRunList(
  client: Client,
  searchAttributes: boolean,
): Promise<CheckResult> {
  const { namespace } = client.options;
  const conditions = searchAttributes ? SEARCH_ATTRIBUTE_CONDITIONS : [];
  const query = visibilityQuery({ WorkflowType: WORKFLOW_TYPES.prepare }, ...conditions);
  try {
    await client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () =>
      client.workflowService.listWorkflowExecutions({ namespace, query, pageSize: 1 }),
    );
    return ok('Temporal lists runs');
  } catch (error) {
    const reason = escapeControls(findGrpcError(error)?.details || (error as Error).message);
    const what = `list the runs of namespace ${namespace} (${reason})`;
    if (searchAttributes && findGrpcCode(error) === GRPC.invalidArgument) {
      return failedCheck(`Temporal refuses to ${what}: ${describeSearchAttributes(namespace)}`);
    }
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

function describeSearchAttributes(namespace: string): string {
  const { selfHosted, cloud } = createAttributesCommands(namespace);
  return (
    'the setting searchAttributes needs attributes that the namespace lacks, or has with another' +
    ` type; create them with: ${selfHosted} (in Temporal Cloud: ${cloud}), or remove the` +
    ' setting, which open runs keep'
  );
}
