/**
 * Downloads a server as the SDK does: node sdk-download.mjs createLocal|createTimeSkipping FOLDER
 * The SDK downloads only when it starts a server, so one is started and stopped.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [method, downloadDir = ''] = process.argv.slice(2);
const create = method === 'createLocal' ? 'createLocal' : 'createTimeSkipping';
const environment = await TestWorkflowEnvironment[create]({
  server: { executable: { type: 'cached-download', downloadDir } },
});
await environment.teardown();
