import type { ConnectionLike } from '@temporalio/client';
import type { WorkerDeploymentVersion } from '@temporalio/common';
import { shellWord } from '../contract/printable';
import { GRPC, grpcCodeOf } from './grpc';

const TIMEOUT_MS = 5000;

/**
 * Why workers of this deployment get no work: as long as no version is current, Temporal gives versioned workers none.
 *
 * @returns what to do, or null when a version is current.
 * @throws ServiceError when Temporal does not say.
 */
export async function missingCurrentVersion(
  connection: Pick<ConnectionLike, 'workflowService' | 'withDeadline'>,
  namespace: string,
  version: WorkerDeploymentVersion,
): Promise<string | null> {
  const describe = () =>
    connection.workflowService.describeWorkerDeployment({
      namespace,
      deploymentName: version.deploymentName,
    });
  try {
    const { workerDeploymentInfo } = await connection.withDeadline(Date.now() + TIMEOUT_MS, describe);
    if (workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId) return null;
  } catch (error) {
    const code = grpcCodeOf(error);
    if (code === GRPC.unimplemented) {
      return 'this Temporal server has no worker deployments: upgrade it, or unset TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID';
    }
    // The deployment appears with the first poll of its first worker.
    if (code !== GRPC.notFound) throw error;
  }
  return describeNoCurrentVersion(namespace, version);
}

export function describeNoCurrentVersion(namespace: string, version: WorkerDeploymentVersion): string {
  const { deploymentName } = version;
  return `no version of deployment ${shellWord(deploymentName)} is current, so its workers get no work: once one polls, make its version current: ${commandFor(namespace, version)}`;
}

/** @param version of a worker that polls, when there is one. */
export function describeCurrentWithoutWorker(
  namespace: string,
  currentBuildId: string,
  version: WorkerDeploymentVersion | null,
): string {
  const instead = version ? `, or give the work to another version: ${commandFor(namespace, version)}` : '';
  return `no worker of the current version ${shellWord(currentBuildId)} polls, and no other gets work: start one${instead}`;
}

function commandFor(namespace: string, { deploymentName, buildId }: WorkerDeploymentVersion): string {
  return `temporal worker deployment set-current-version --namespace ${shellWord(namespace)} --deployment-name ${shellWord(deploymentName)} --build-id ${shellWord(buildId)}`;
}
