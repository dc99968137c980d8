import type { Client } from '@temporalio/client';
import { optionalDateToTs } from '@temporalio/common/lib/time';
import { whyNoWorker } from '../../../../src/commands/runs/missing-worker';

const deploymentName = 'kubernetes/prep';
const EXPIRED_MS = 80_000;

interface Polled {
  /** Of a versioned worker. */
  buildId?: string;
  agoMs?: number;
}

/** What a server says of a task queue. That a worker's last poll was long ago takes it more than a minute. */
function problemOf(
  pollers: Polled[],
  currentBuildId?: string,
  clockAheadMs?: number,
): Promise<string | null> {
  const describeTaskQueue = () =>
    Promise.resolve({
      pollers: pollers.map(({ buildId, agoMs = 0 }) => ({
        lastAccessTime: optionalDateToTs(new Date(Date.now() - agoMs)),
        deploymentOptions: buildId ? { workerVersioningMode: 2, deploymentName, buildId } : null,
      })),
      versioningInfo: currentBuildId
        ? { currentDeploymentVersion: { deploymentName, buildId: currentBuildId } }
        : null,
    });
  const client = { workflowService: { describeTaskQueue }, options: { namespace: 'default' } };
  return whyNoWorker(client as unknown as Client, 'prep', clockAheadMs);
}

const command = (buildId: string) =>
  `temporal worker deployment set-current-version --namespace default --deployment-name ${deploymentName} --build-id ${buildId}`;

const NO_WORKER = 'no worker polls task queue prep: start one; what was started there stays on it';
const GONE = /^no worker polls .* \(the last poll was at 2/;
const NONE_CURRENT = `no version of deployment ${deploymentName} is current, so its workers get no work: once one polls, make its version current: ${command('1.0')}`;
const NOT_POLLING = 'no worker of the current version 1.0 polls, and no other gets work: start one';
const OTHER_POLLS = `${NOT_POLLING}, or give the work to another version: ${command('2.0')}`;
const [one, two, gone] = [{ buildId: '1.0' }, { buildId: '2.0' }, { agoMs: EXPIRED_MS }];

it.each<[what: string, pollers: Polled[], current: string | undefined, problem: RegExp | string | null]>([
  ['a worker', [{}], undefined, null],
  ['a worker of the current version', [two, one], '1.0', null],
  ['a worker without a version beside others', [one, {}], undefined, null],
  ['no worker', [], undefined, NO_WORKER],
  ['no worker of a current version', [], '1.0', NOT_POLLING],
  ['a worker that is gone', [gone], undefined, GONE],
  ['workers of which no version is current', [one], undefined, NONE_CURRENT],
  ['workers beside a current version whose own are gone', [{ ...one, ...gone }, two], '1.0', OTHER_POLLS],
  ['a worker without a version beside a current one', [{}], '1.0', NOT_POLLING],
])('of %s it says what to do', async (_what, pollers, current, problem) => {
  const described = await problemOf(pollers, current);
  if (problem instanceof RegExp) expect(described).toMatch(problem);
  else expect(described).toBe(problem);
});

it("takes the server's time where it is known", async () => {
  expect(await problemOf([gone], undefined, EXPIRED_MS)).toBeNull();
});
