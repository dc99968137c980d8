import type { Services } from '../config/services';
import type { Pair } from '../contract/workflow-id';
import type { Sealer } from '../secrets/sealing';
import type { Sink } from '../sinks/sink';
import {
  failedCheck,
  ok,
  unchecked,
  type Check,
  type CheckResult,
  type Scope,
} from './check-result';
import { credentialChecks, type CredentialOptions } from './credential-checks';

export function wholeWorker({ organizations, sinks }: Services): Scope {
  return { credentials: organizations.credentials(), sinks: [...sinks.keys()], target: null };
}

/** Returns checks that change nothing and create no link-token. */
export function workerChecks(
  services: Services,
  scope: Scope,
  options: CredentialOptions,
): Check[] {
  const checks: Check[] = [
    { name: 'sealing keys', run: () => Promise.resolve(checkKeys(services.sealer)) },
  ];
  checks.push(...credentialChecks(services, scope, options));
  for (const [name, sink] of services.sinks) {
    if (!scope.sinks.includes(name)) continue;
    checks.push({ name: `sink ${name}`, run: (signal) => checkSink(sink, scope.target, signal) });
  }
  return checks;
}

function checkKeys(sealer: Sealer): CheckResult {
  const onlyInMemory = sealer.keyIdsOnlyInMemory();
  if (onlyInMemory.length > 0) {
    return failedCheck(
      `this worker has ${onlyInMemory.join(', ')} only in memory: do not restart this worker;` +
        ' restore the file that sealing.keys names, unless you removed keys that no token needs',
    );
  }
  const [first, ...otherKeyIds] = sealer.keyIds();
  const older =
    otherKeyIds.length > 0 ? `; kept only to open tokens: ${otherKeyIds.join(', ')}` : '';
  return ok(`key ${first ?? ''} seals and opens tokens${older}`);
}

async function checkSink(sink: Sink, target: Pair | null, signal: AbortSignal) {
  if (sink.needsSourceOrgId && target && !target.sourceOrgId) {
    return unchecked('this sink needs the source organization, and the request names none');
  }
  return ok(await sink.check(target, signal));
}
