/*
 * Virtual time: jest's fake timers. The timers of one moment fire together, those of the next once
 * all that they have caused is done, so a simulation is the same each time.
 */

/** A simulated run that takes more steps than this hangs. */
const MAX_STEPS = 20_000;

let working = 0;

/** Real work that takes no virtual time, such as cryptography in Node's thread pool. */
export async function instantly<T>(work: () => Promise<T>): Promise<T> {
  working += 1;
  try {
    return await work();
  } finally {
    working -= 1;
  }
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** @returns whether it was over before the steps or the timers ran out. */
export async function runUntil(isOver: () => boolean): Promise<boolean> {
  for (let step = 0; step < MAX_STEPS; step += 1) {
    // One turn of the event loop settles every promise that nothing outside of it holds up.
    do await new Promise(setImmediate);
    while (working > 0);
    if (isOver()) return true;
    if (jest.getTimerCount() === 0) return false;
    jest.advanceTimersToNextTimer();
  }
  return false;
}
