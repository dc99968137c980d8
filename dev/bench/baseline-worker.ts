/** Runs the worker of the baseline as a process of its own: baseline-worker.ts TASK-QUEUE */
import { Context } from '@temporalio/activity';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { connectWorker } from '../../src/temporal/connection';
import { visibilityQuery } from '../../src/temporal/list-runs';
import { baseline, type BaselineActivities } from './baseline-workflow';

const activities: BaselineActivities = {
  returnText: (_input, length) => Promise.resolve('x'.repeat(length)),
  async listClosedRuns() {
    const { info, client } = Context.current();
    const fields = {
      WorkflowId: info.workflowExecution?.workflowId ?? '',
      WorkflowType: baseline.name,
    };
    const query = visibilityQuery(fields, 'CloseTime IS NOT NULL');
    for await (const { runId } of client.workflow.list({ query })) {
      throw new Error(`run ${runId} came before`);
    }
  },
};

async function main(taskQueue: string): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('INFO') });
  const { connection, namespace } = await connectWorker(process.env, 10_000);
  const workflowsPath = require.resolve('./baseline-workflow');
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowsPath,
    activities,
  });
  await worker.run();
  await connection.close();
}

void main(process.argv[2] ?? '');
