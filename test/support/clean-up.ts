const undoings: (() => unknown)[] = [];

/** Runs after the last test of the file, also when tests failed; last in, first out. */
export function cleanUpLater(undo: () => unknown): void {
  undoings.push(undo);
}

afterAll(async () => {
  const problems: unknown[] = [];
  for (let undo = undoings.pop(); undo; undo = undoings.pop()) {
    try {
      await undo();
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw new AggregateError(problems, 'cleaning up failed');
});
