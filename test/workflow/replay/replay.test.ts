import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { workflowBundle } from '../../support/replay';
import { sharedTemporal } from '../../support/temporal';
import { startScriptedWorker } from '../scripted-worker';
import { RELEASES, fetchHistories, readHistories, replayAll, storeHistories } from './histories';

it('open runs of every release replay', async () => {
  if (existsSync(RELEASES)) await replayAll(readHistories(RELEASES));
});

describe('a stored run', () => {
  const folder = newFolder();
  const file = path.join(folder, '1.0.0', 'runs.jsonl');

  beforeAll(async () => {
    const { client } = await sharedTemporal();
    const worker = await startScriptedWorker();
    const { handle } = await worker.start();
    await handle.result();
    await eventually('the run in the list', async () => {
      const histories = await fetchHistories(client, worker.installation.taskQueue);
      storeHistories(file, histories);
      return histories.length === 1;
    });
  });

  it('replays', async () => {
    const histories = readHistories(folder);
    expect(histories).toHaveLength(1);
    await replayAll(histories);
  });

  it('does not replay after an activity is renamed', async () => {
    const codePath = path.join(folder, 'changed-bundle.js');
    const bundle = readFileSync(workflowBundle.codePath, 'utf8');
    writeFileSync(codePath, bundle.replaceAll('createLinkToken', 'createAnotherToken'));
    const failure = await replayAll(readHistories(folder), { codePath }).catch(
      (error: unknown) => error as AggregateError,
    );
    const [problem] = failure?.errors as [Error];
    expect(problem.cause).toBeInstanceOf(DeterminismViolationError);
  });

  it('does not name the machine', () => {
    expect(readFileSync(file, 'utf8')).not.toContain(`${process.pid}@${os.hostname()}`);
  });

  it('has at most 200,000 characters: a larger one is left out', () => {
    const histories = readHistories(folder);
    storeHistories(file, [...histories, { workflowId: 'large', history: 'x'.repeat(200_000) }]);
    expect(readHistories(folder)).toEqual(histories);
  });
});
