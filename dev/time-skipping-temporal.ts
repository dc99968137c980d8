import path from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { temporalBinary } from './temporal-binary';

/** Starts the server on which an hour of waiting takes no time. `teardown()` stops it. */
export function startTimeSkippingTemporal(): Promise<TestWorkflowEnvironment> {
  return TestWorkflowEnvironment.createTimeSkipping({
    server: {
      executable: { type: 'existing-path', path: path.join(__dirname, 'time-skipping-server.sh') },
      extraArgs: [temporalBinary('temporal-test-server')],
    },
  });
}
