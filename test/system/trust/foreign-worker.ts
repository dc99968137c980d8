import { randomUUID } from 'node:crypto';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { cleanUpLater } from '../../support/clean-up';
import type { Deployment } from '../../support/installation';
import { sharedTemporal } from '../../support/temporal';
import type { Call, CallOutcome } from './foreign-workflows';

/** Abilities of someone who may start work in the namespace, and has a worker on a task queue of their own. */
export interface ForeignWorker {
  /** Runs a workflow of theirs that calls activities of the product. */
  call(type: 'foreign' | 'prepareLiveMigration', workflowId: string, calls: Call[]): Promise<CallOutcome[]>;
}

export async function startForeignWorker(deployment: Deployment): Promise<ForeignWorker> {
  const { address, client } = await sharedTemporal();
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const connection = await NativeConnection.connect({ address });
  const taskQueue = `foreign-${randomUUID()}`;
  const workflowsPath = require.resolve('./foreign-workflows');
  const worker = await Worker.create({ connection, taskQueue, workflowsPath });
  const running = worker.run();
  cleanUpLater(async () => {
    worker.shutdown();
    await running;
    await connection.close();
  });
  return {
    call: (type, workflowId, calls) =>
      client.workflow.execute(type, {
        workflowId,
        taskQueue,
        args: [deployment.taskQueue, calls],
      }) as Promise<CallOutcome[]>,
  };
}
