import path from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';

/** The bundle that a worker runs, so that the tests are of the shipped code. */
export const workflowBundle = { codePath: path.join(__dirname, '../../dist/workflow-bundle.js') };

/**
 * Installs the runtime, before the first connection: Core logs what tests cause on purpose, which
 * looks like a problem.
 */
export function silenceRuntime(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { forward: {}, filter: 'off' } },
    shutdownSignals: [],
  });
}

/** @throws DeterminismViolationError when the workflows would not have made this history. */
export async function replay(history: unknown): Promise<void> {
  silenceRuntime();
  await Worker.runReplayHistory({ workflowBundle }, history);
}
