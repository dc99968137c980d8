/**
 * Downloads a server as the SDK does for its tests: node sdk-download.mjs createLocal|createTimeSkipping FOLDER
 * The SDK downloads only when it starts a server, so one is started and stopped.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [create, downloadDir] = process.argv.slice(2);
try {
  const environment = await TestWorkflowEnvironment[create]({
    server: { executable: { type: 'cached-download', downloadDir } },
  });
  await environment.teardown();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
