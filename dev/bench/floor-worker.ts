/** The worker of the floor, as a process of its own: floor-worker.ts TASK-QUEUE */
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { connectWorker } from '../../src/temporal/connection';
import type { Floor } from './floor-workflow';

async function main(taskQueue: string): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('INFO') });
  const { connection, namespace } = await connectWorker(process.env, 10_000);
  const activities: Floor = { nothing: (_input, length) => Promise.resolve('x'.repeat(length)) };
  const workflowsPath = require.resolve('./floor-workflow');
  const worker = await Worker.create({ connection, namespace, taskQueue, workflowsPath, activities });
  await worker.run();
  await connection.close();
}

void main(process.argv[2] ?? '');
