/** Runs scenes that mostly wait side by side, each a test of its own. */
export function atOnce(scenes: Record<string, () => Promise<void>>): void {
  const running = new Map<string, Promise<void>>();
  beforeAll(() => {
    for (const [name, scene] of Object.entries(scenes)) {
      const ending = scene();
      // Its test says so, once it is its turn.
      ending.catch(() => undefined);
      running.set(name, ending);
    }
  });
  it.each(Object.keys(scenes))('%s', async (name) => {
    await running.get(name);
  });
}
