import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { Worker } from '@temporalio/worker';
import { VERSION } from '../../../src/version';
import { workflowBundle } from '../../support/replay';

/** Holds a folder for each release, from `npm run histories`. */
export const RELEASES = path.join(__dirname, 'histories');

interface StoredHistory {
  workflowId: string;
  history: unknown;
}

/**
 * Characters of a history that is stored. The larger ones have refused inputs, and are nine tenths
 * of all.
 */
const MAX_STORED_LENGTH = 200_000;

/**
 * Fetches the history of each run of a task queue, as JSON that names neither this machine nor this
 * process.
 */
export async function fetchHistories(
  { workflow }: Client,
  taskQueue: string,
): Promise<StoredHistory[]> {
  const histories: StoredHistory[] = [];
  const runs = workflow.list({ query: `TaskQueue = '${taskQueue}'` });
  for await (const { workflowId, history } of runs.intoHistories()) {
    const json = historyToJSON(history as Parameters<typeof historyToJSON>[0]);
    const anonymous = json.replaceAll(`${process.pid}@${os.hostname()}`, '1@host');
    histories.push({ workflowId, history: JSON.parse(anonymous) });
  }
  return histories;
}

/** Names the file for the histories of the running test file in this version. */
export function fileOfVersion(): string {
  const { testPath = '' } = expect.getState();
  return path.join(RELEASES, VERSION, `${path.basename(testPath, '.test.ts')}.jsonl`);
}

/** Writes a file with one history a line, without those that are large. */
export function storeHistories(file: string, histories: StoredHistory[]): void {
  const lines = histories.map((history) => JSON.stringify(history));
  const stored = lines.filter((line) => line.length <= MAX_STORED_LENGTH);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, stored.map((line) => `${line}\n`).join(''));
}

/** Reads the histories of every file below a folder. */
export function readHistories(folder: string): StoredHistory[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.jsonl'),
  );
  return files.flatMap((name) => {
    const lines = readFileSync(path.join(folder, name), 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as StoredHistory);
  });
}

/** @throws AggregateError of the runs that the workflows would not have made in this way. */
export async function replayAll(
  histories: StoredHistory[],
  bundle = workflowBundle,
): Promise<void> {
  const problems: unknown[] = [];
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle: bundle },
    histories,
  )) {
    if (error) problems.push(new Error(`${workflowId} does not replay`, { cause: error }));
  }
  if (problems.length > 0) {
    throw new AggregateError(problems, `${problems.length} runs do not replay`);
  }
}
