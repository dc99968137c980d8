import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const undoings: (() => unknown)[] = [];

/** Runs after the last test of the file, even if tests failed; last in, first out. */
export function cleanUpLater(undo: () => unknown): void {
  undoings.push(undo);
}

/** Closes it after the last test of the file. */
export function closeLater<T extends { close(): unknown }>(opened: T): T {
  cleanUpLater(() => opened.close());
  return opened;
}

/** Creates a folder that is gone after the last test of the file. */
export function newFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-'));
  cleanUpLater(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @throws AggregateError of what could not be undone, after all else was. */
async function cleanUp(): Promise<void> {
  const problems: unknown[] = [];
  for (let undo = undoings.pop(); undo; undo = undoings.pop()) {
    try {
      await undo();
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw new AggregateError(problems, 'cleaning up failed');
}

afterAll(cleanUp);
