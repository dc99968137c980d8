/**
 * Runs the worker of a baseline as a process of its own: baseline-worker.ts TASK-QUEUE [ATLAS-URL
 * FOLDER], a bare job with an address and a folder, else empty activities.
 */
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { connectWorker } from '../../src/temporal/connection';
import { createBareActivities, emptyActivities } from './baseline-activities';

async function main(taskQueue: string, atlasUrl?: string, folder = ''): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('INFO') });
  const { connection, namespace } = await connectWorker(process.env, 10_000);
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowsPath: require.resolve('./baseline-workflow'),
    activities: atlasUrl ? createBareActivities(atlasUrl, folder) : emptyActivities,
  });
  await worker.run();
  await connection.close();
}

const [taskQueue = '', ...ofBareJob] = process.argv.slice(2);
void main(taskQueue, ...ofBareJob);
