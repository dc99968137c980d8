import pMap from 'p-map';
import type { Services } from '../config/services';
import type { Pair } from '../contract/workflow-id';
import type { Sealer } from '../secrets/sealing';
import { formatCount } from '../shared/text';
import { classifyDeliveryError } from '../sinks/classify-delivery-error';
import { describeMissingPair, type Sink } from '../sinks/sink';
import {
  failedCheck,
  joinProblems,
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
    const run = (signal: AbortSignal) =>
      scope.target
        ? checkSink(name, sink, scope.target, signal)
        : checkWholeSink(sink, options, signal);
    checks.push({ name: `sink ${name}`, run });
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

async function checkSink(
  name: string,
  sink: Sink,
  target: Pair,
  signal: AbortSignal,
): Promise<CheckResult> {
  if (sink.needsSourceOrgId && !target.sourceOrgId) {
    return unchecked('this sink needs the source organization, and the request names none');
  }
  if (describeMissingPair(name, sink, target) !== null) {
    return unchecked('this sink does not take this source organization to this Atlas organization');
  }
  return ok(await sink.check(target, signal));
}

const SOURCE_CHECKS_AT_A_TIME = 50;

/** Checks the API key of each source organization, if the sink has any. */
async function checkWholeSink(
  sink: Sink,
  { onHost }: CredentialOptions,
  signal: AbortSignal,
): Promise<CheckResult> {
  if (!sink.sources) return ok(await sink.check({}, signal));
  const ids = [...sink.sources.keys()];
  const checkOne = (sourceOrgId: string) =>
    sink.check({ sourceOrgId }, signal).then(() => null, classifyDeliveryError);
  const results = await pMap(ids, checkOne, { concurrency: SOURCE_CHECKS_AT_A_TIME });
  const problems = results.filter((problem) => problem !== null);
  if (problems.length === 0) {
    return ok(`accepts the API keys of ${formatCount(ids.length, 'source organization')}`);
  }
  const messages = problems.map(({ message }) => message);
  const permanent = problems.some((problem) => problem.permanent);
  return failedCheck(joinProblems(messages, ids, onHost), { permanent });
}
