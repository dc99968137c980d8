import type { Client } from '@temporalio/client';
import { follow } from '../../../../src/commands/runs/follow';
import { WORKFLOW_TYPES } from '../../../../src/contract/names';

const POLLS = 3;

/** A run that is paused while nobody responds to its Query. Temporal can pause whole runs only where that is enabled. */
function clientOfPausedRun(): Client {
  const run = { workflowId: 'a', runId: 'b', type: WORKFLOW_TYPES.prepare, taskQueue: 'q', historyLength: 4 };
  let polls = 0;
  const describe = () => {
    polls += 1;
    return Promise.resolve({ ...run, raw: {}, status: { name: polls > POLLS ? 'COMPLETED' : 'PAUSED' } });
  };
  const handle = { describe, result: () => Promise.resolve(null) };
  const connection = { withDeadline: () => Promise.reject(new Error('paused')) };
  return { workflow: { getHandle: () => handle }, connection } as unknown as Client;
}

it('a pause of a run that says nothing else is reported once', async () => {
  const lines: string[] = [];
  const following = follow(clientOfPausedRun(), { workflowId: 'a', runId: 'b' }, (line) => lines.push(line));
  await expect(following).rejects.toThrow('not a receipt');
  expect(lines).toEqual(['the run is paused; unpause it: temporal workflow unpause --workflow-id a']);
});
