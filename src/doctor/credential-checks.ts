import pMap from 'p-map';
import type { AdminApi } from '../atlas/admin-api';
import { classifyAtlasError } from '../atlas/outcomes';
import type { Services } from '../config/services';
import { formatCount } from '../shared/text';
import {
  failedCheck,
  joinProblems,
  ok,
  unchecked,
  warning,
  type Check,
  type CheckResult,
  type Scope,
} from './check-result';

const ROLE_CHECKS_AT_A_TIME = 10;
/** Organizations that are checked where the configuration names none. */
const MAX_UNNAMED = 10;

export interface CredentialOptions {
  /**
   * True on the worker's host: findings may name organizations, and a missing role is an error.
   * With a request, it is an error everywhere.
   */
  onHost: boolean;
}

/**
 * Returns two checks of each credential: Atlas accepts it, and it may create link-tokens. Without a
 * request, the second is about the organizations that the configuration assigns to the credential;
 * if it assigns none, about the first ten that the credential can see.
 */
export function credentialChecks(
  services: Services,
  { credentials, target }: Pick<Scope, 'credentials' | 'target'>,
  { onHost }: CredentialOptions,
): Check[] {
  const { atlas, organizations } = services;
  return credentials.flatMap((name): Check[] => {
    const served = organizations.servedBy(name);
    // The map of the configuration already has the organizations of a credential. With the same
    // text for each, credentials that are ok share a line.
    const namesIds = onHost && served.length === 0;
    let visible: Promise<string[]> | undefined;
    const readVisible = () => (visible ??= atlas.visibleOrganizations(name));

    function describeAccepted(ids: readonly string[]): CheckResult {
      const seen = namesIds ? `; can see ${ids.join(', ') || 'no organization'}` : '';
      const openCircuit = atlas.describeOpenCircuit(name);
      if (openCircuit === null) return ok(`accepted by Atlas${seen}`);
      return warning(`accepted by Atlas${seen}; but ${openCircuit}`);
    }

    async function checkRoles(ids: readonly string[]): Promise<CheckResult> {
      const checkOne = (id: string) => checkRole(atlas, name, id, ids.includes(id));
      if (target) return checkOne(target.orgId);
      const orgIds = served.length > 0 ? served : ids.slice(0, MAX_UNNAMED);
      const results = await pMap(orgIds, checkOne, { concurrency: ROLE_CHECKS_AT_A_TIME });
      return summarize(orgIds, results, { onHost, namesIds });
    }

    return [
      { name: `credential ${name}`, run: () => readVisible().then(describeAccepted, toRefused) },
      {
        name: target ? `organization ${target.orgId}` : `role of credential ${name}`,
        run: () => readVisible().then(checkRoles, () => unchecked('the credential cannot be used')),
        onTimeout: warning,
      },
    ];
  });
}

function toRefused(cause: unknown): CheckResult {
  const { message, permanent } = classifyAtlasError(cause, 'orgs');
  return failedCheck(message, { permanent });
}

async function checkRole(
  atlas: AdminApi,
  name: string,
  orgId: string,
  isVisible: boolean,
): Promise<CheckResult> {
  try {
    await atlas.requireOwnerRole(orgId, name);
    return ok(`credential ${name} may create link-tokens`);
  } catch (error) {
    const { type, details, message } = classifyAtlasError(error, 'availableProjects');
    const refusals = isVisible ? [401, 403] : [401, 403, 404];
    if (type !== 'AtlasRequestRejected' || !refusals.includes(details.status ?? 0)) {
      return warning(
        `it is not known whether credential ${name} may create link-tokens in ${orgId}: ${message}`,
      );
    }
    if (isVisible) {
      return failedCheck(`credential ${name} cannot create link-tokens in ${orgId}: ${message}`);
    }
    const problem =
      `${orgId} is not visible to credential ${name},` +
      ' and a credential belongs to one organization';
    const remedy =
      'correct the id of the organization,' +
      ' or name another credential for it under atlas.organizations';
    return failedCheck(`${problem}: ${remedy}`);
  }
}

function summarize(
  ids: readonly string[],
  results: readonly CheckResult[],
  { onHost, namesIds }: { onHost: boolean; namesIds: boolean },
): CheckResult {
  if (ids.length === 0) return warning('it can see no organization: check its roles');
  const problems = results.filter(({ state }) => state !== 'ok');
  const where = namesIds ? ids.join(', ') : formatCount(ids.length, 'organization');
  if (problems.length === 0) return ok(`may create link-tokens in ${where}`);
  const messages = problems.map(({ message }) => message);
  const message = joinProblems(messages, ids, onHost);
  const isError = onHost && problems.some(({ state }) => state === 'error');
  return isError ? failedCheck(message) : warning(message);
}
