import type { Client } from '@temporalio/client';
import { optionalDateToTs } from '@temporalio/common/lib/time';
import { whyNoWorker } from '../../../../src/commands/runs/pollers';

const deploymentName = 'kubernetes/prep';
const EXPIRED_MS = 80_000;

interface Polled {
  /** Of a versioned worker. */
  buildId?: string;
  agoMs?: number;
}

/** What a server says of a task queue. That a worker's last poll was long ago takes it more than a minute. */
function problemOf(pollers: Polled[], currentBuildId?: string): Promise<string | null> {
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
  const workflowService = { describeTaskQueue } as unknown as Client['workflowService'];
  return whyNoWorker(workflowService, 'default', 'prep');
}

const command = (buildId: string) =>
  `temporal worker deployment set-current-version --namespace default --deployment-name ${deploymentName} --build-id ${buildId}`;

it.each<[what: string, pollers: Polled[], current: string | undefined, problem: RegExp | string | null]>([
  ['a worker', [{}], undefined, null],
  ['a worker of the current version', [{ buildId: '2.0' }, { buildId: '1.0' }], '1.0', null],
  ['a worker without a version beside others', [{ buildId: '1.0' }, {}], undefined, null],
  ['no worker', [], undefined, 'no worker polls task queue prep: start one, or correct --task-queue'],
  [
    'a worker that is gone',
    [{ agoMs: EXPIRED_MS }],
    undefined,
    /^no worker polls .* \(the last poll was at 2/,
  ],
  [
    'workers of which no version is current',
    [{ buildId: '1.0' }],
    undefined,
    `no version of deployment ${deploymentName} is current, so its workers get no work: ${command('1.0')}`,
  ],
  [
    'workers beside a current version whose own are gone',
    [{ buildId: '1.0', agoMs: EXPIRED_MS }, { buildId: '2.0' }],
    '1.0',
    `no worker of the current version 1.0 polls, and no other gets work: start one, or give the work to another version: ${command('2.0')}`,
  ],
  [
    'a worker without a version beside a current one',
    [{}],
    '1.0',
    'no worker of the current version 1.0 polls, and no other gets work: start one',
  ],
])('of %s it says what to do', async (_what, pollers, current, problem) => {
  const described = await problemOf(pollers, current);
  if (problem instanceof RegExp) expect(described).toMatch(problem);
  else expect(described).toBe(problem);
});
