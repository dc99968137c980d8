import { once } from 'node:events';
import { classifyAtlasError } from '../atlas/outcomes';
import type { Services } from '../config/services';
import type { Finding } from '../contract/schemas';
import type { Sealer } from '../secrets/sealing';
import { classifyDeliveryError } from '../sinks/outcomes';
import type { CheckTarget, Sink } from '../sinks/sink';
import { failedCheck, ok, unchecked, warning, type CheckResult } from './check-result';

const CHECK_TIMEOUT_MS = 10_000;

/** Organizations of a request, with the names of its credential and its sink; null if none is configured for it. */
export interface RequestScope extends CheckTarget {
  credential: string | null;
  sink: string | null;
}

type Check = [name: string, run: (signal: AbortSignal) => Promise<CheckResult>];

/** Runs checks at the same time, each for at most ten seconds. An error of a check is its result. */
export function runAll(checks: readonly Check[]): Promise<(CheckResult & Finding)[]> {
  return Promise.all(checks.map(async ([check, run]) => ({ check, ...(await runOne(run)) })));
}

async function runOne(run: Check[1]): Promise<CheckResult> {
  const timeout = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  const expired = once(timeout, 'abort').then(() =>
    failedCheck(`no result within ${CHECK_TIMEOUT_MS / 1000} s: check that the worker can reach it`, true),
  );
  const result = run(timeout).catch((cause: unknown) => toFailedCheck(classifyDeliveryError(cause)));
  return Promise.race([result, expired]);
}

function toFailedCheck({ message, retryable }: { message: string; retryable: boolean }): CheckResult {
  return failedCheck(message, retryable);
}

/**
 * The checks change nothing and create no link-token.
 *
 * @param withIds true if findings may name organizations that the request does not name.
 */
export function workerChecks(services: Services, scope: RequestScope | null, withIds: boolean): Check[] {
  const { organizations, sinks } = services;
  const isNamed = (name: string | null) => name !== null;
  const credentials = (scope ? [scope.credential] : organizations.credentials()).filter(isNamed);
  const usedSinks = [...sinks].filter(([name]) => !scope || name === scope.sink);
  return [
    ['sealing keys', () => Promise.resolve(checkKeys(services.sealer))],
    ...credentials.flatMap((name) => credentialChecks(services, name, scope, withIds)),
    ...usedSinks.map(([name, sink]): Check => [`sink ${name}`, (signal) => checkSink(sink, scope, signal)]),
  ];
}

function credentialChecks(
  { atlas, organizations }: Services,
  name: string,
  scope: RequestScope | null,
  withIds: boolean,
): Check[] {
  const visible = atlas.visibleOrganizations(name);
  const result = visible.then(
    (ids) =>
      withCircuit(
        scope ? ok('accepted by Atlas') : checkServed(ids, organizations.servedBy(name), withIds),
        atlas.describeOpenCircuit(name),
      ),
    (cause: unknown) => toFailedCheck(classifyAtlasError(cause, 'orgs')),
  );
  const own: Check = [`credential ${name}`, () => result];
  if (!scope) return [own];
  const isVisible = visible.then(
    (ids): CheckResult => {
      if (ids.includes(scope.orgId)) return ok(`visible to credential ${name}`);
      const problem = `is not visible to credential ${name}, and a credential belongs to one organization`;
      const remedy = 'correct it, or name another credential under atlas.organizations';
      return { ...failedCheck(`${problem}: ${remedy}`), field: 'orgId' };
    },
    () => unchecked(`credential ${name} cannot be used`),
  );
  return [own, [`organization ${scope.orgId}`, () => isVisible]];
}

/** @param openCircuit why the circuit of the accepted credential is open; null while it is closed. */
function withCircuit(result: CheckResult, openCircuit: string | null): CheckResult {
  if (openCircuit === null || result.state === 'error') return result;
  return warning(`${result.message}; but ${openCircuit}`);
}

function checkServed(visible: readonly string[], wanted: readonly string[], withIds: boolean): CheckResult {
  const missing = wanted.filter((orgId) => !visible.includes(orgId));
  if (missing.length > 0) {
    const which = withIds
      ? `${missing.join(', ')} (it can see ${visible.join(', ') || 'none'})`
      : `organizations that it serves (${missing.length} of ${wanted.length})`;
    const remedy =
      'a credential belongs to one organization, so name another for the rest under atlas.organizations';
    return failedCheck(`accepted by Atlas, but cannot see ${which}: ${remedy}`);
  }
  if (visible.length === 0) return warning('accepted by Atlas; can see no organization: check its roles');
  const unnamed = wanted.length > 0 ? 'every organization that it serves' : 'an organization';
  return ok(`accepted by Atlas; can see ${withIds ? visible.join(', ') : unnamed}`);
}

function checkKeys(sealer: Sealer): CheckResult {
  const [first, ...others] = sealer.keyIds();
  return ok(`key ${first ?? ''} seals and opens${others.length > 0 ? `; ${others.join(', ')} open` : ''}`);
}

async function checkSink(sink: Sink, target: CheckTarget | null, signal: AbortSignal) {
  if (sink.needsSourceOrgId && target?.sourceOrgId === null) {
    return unchecked('it needs the source organization, and the request names none');
  }
  if (!sink.check) return unchecked('configured; only a delivery can tell whether it works');
  return ok(await sink.check(target, signal));
}
