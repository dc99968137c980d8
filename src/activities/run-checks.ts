import { Context } from '@temporalio/activity';
import type { Services } from '../config/services';
import { WORKER_CHECK_FAILED } from '../contract/failure-types';
import { organizationId, type CheckReport } from '../contract/schemas';
import type { CheckResult, Scope } from '../doctor/check-result';
import { runAll } from '../doctor/run-all';
import { checkRunList } from '../doctor/temporal-checks';
import { wholeWorker, workerChecks } from '../doctor/worker-checks';
import { validateAgainstConfig } from '../requests/validate-against-config';
import type { Activities } from '../shared/activities';
import { applicationFailure } from '../shared/application-failure';
import { invalidRequest } from '../shared/invalid-request';
import { toObject } from '../shared/object';
import { createSharing } from './share-calls';

const NO_REQUEST = { request: null, problems: [] };

/**
 * A file may have hundreds of requests of one organization, and Atlas limits its requests, as
 * Temporal limits lists.
 */
const SHARE_MS = 2000;

/**
 * Creates the activity that checks what this worker needs, or what a request would use, and creates
 * nothing. Anyone who may start work in the namespace can call it, so it names no organization that
 * the caller did not name.
 *
 * A retry is safe. Temporal retries only if no error found is permanent.
 */
export function runChecksActivity(
  { atlas, ...others }: Services,
  searchAttributes: boolean,
): Activities['runChecks'] {
  const shareOrganizations = createSharing<string[]>(SHARE_MS);
  const shareRole = createSharing(SHARE_MS);
  const shareList = createSharing<CheckResult>(SHARE_MS);
  const services: Services = {
    ...others,
    atlas: {
      ...atlas,
      visibleOrganizations: (name) =>
        shareOrganizations(name, () => atlas.visibleOrganizations(name)),
      async requireOwnerRole(orgId, name) {
        await shareRole(`${orgId} ${name}`, () => atlas.requireOwnerRole(orgId, name));
      },
    },
  };
  return async function runChecks(input) {
    const isGiven = input !== null;
    const { request, problems } = isGiven ? validateAgainstConfig(input, services) : NO_REQUEST;
    const scope = isGiven ? findScope(input, services) : wholeWorker(services);
    const { client } = Context.current();
    const results = await runAll([
      {
        name: 'list of runs',
        run: () => shareList('', () => checkRunList(client, searchAttributes)),
      },
      ...workerChecks(services, scope, { onHost: false }),
    ]);
    const report: CheckReport = {
      findings: results.map(({ check, state, message }) => ({ check, state, message })),
      worker: client.options.identity,
      request: problems.length > 0 ? null : request,
      fields: problems,
    };
    if (problems.length > 0) throw invalidRequest(problems, report);
    const errors = results.filter(({ state }) => state === 'error');
    if (errors.length === 0) return report;
    throw applicationFailure({
      type: WORKER_CHECK_FAILED,
      message: errors.map(({ check, message }) => `${check}: ${message}`).join('; '),
      nonRetryable: errors.some(({ permanent }) => permanent),
      details: [report],
    });
  };
}

/** Finds as much of the scope as is known if fields are wrong. */
function findScope(input: unknown, { organizations }: Services): Scope {
  const { orgId, sourceOrgId, sink } = toObject(input);
  const org = organizationId.safeParse(orgId).data;
  if (org === undefined) return { credentials: [], sinks: [], target: null };
  const credential = organizations.credentialFor(org);
  return {
    credentials: credential === null ? [] : [credential],
    sinks: organizations.sinksFor(org).filter((name) => name === sink),
    target: { orgId: org, sourceOrgId: organizationId.safeParse(sourceOrgId).data ?? null },
  };
}
