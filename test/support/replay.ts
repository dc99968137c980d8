import path from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';

/** The bundle that a worker runs, so that the test is of the shipped code. */
const workflowBundle = { codePath: path.join(__dirname, '../../dist/workflow-bundle.js') };

/** @throws DeterminismViolationError when the workflows would not have made this history. */
export async function replay(history: unknown): Promise<void> {
  // Core logs each violation, and one made on purpose would look like a problem.
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { forward: {}, filter: 'off' } },
    shutdownSignals: [],
  });
  await Worker.runReplayHistory({ workflowBundle }, history);
}
