import path from 'node:path';
import { DefaultLogger, IllegalStateError, Runtime, Worker } from '@temporalio/worker';
import type { Handle } from './installation';

/** The bundle that a worker runs, so that the test is of the shipped code. */
const workflowBundle = { codePath: path.join(__dirname, '../../dist/workflow-bundle.js') };

let turn: Promise<unknown> = Promise.resolve();

/** One after the other: the SDK shuts its runtime down with the last worker. */
function inTurn(work: () => Promise<void>): Promise<void> {
  const done = turn.then(work);
  turn = done.catch(() => undefined);
  return done;
}

/** @throws DeterminismViolationError when the workflows would not have made this history. */
export function replay(history: unknown): Promise<void> {
  return inTurn(async () => {
    try {
      // Core logs each violation, and one made on purpose would look like a problem.
      Runtime.install({
        logger: new DefaultLogger('ERROR', () => undefined),
        telemetryOptions: { logging: { forward: {}, filter: 'off' } },
        shutdownSignals: [],
      });
    } catch (error) {
      if (!(error instanceof IllegalStateError)) throw error;
    }
    await Worker.runReplayHistory({ workflowBundle }, history);
  });
}

/** @throws DeterminismViolationError when the run, as far as it has come, does not replay. */
export async function replayRun(handle: Pick<Handle, 'fetchHistory'>): Promise<void> {
  await replay(await handle.fetchHistory());
}
