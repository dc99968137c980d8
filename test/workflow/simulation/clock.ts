/*
 * Virtual time: jest's fake timers. The timers of one moment fire together, those of the next once
 * all that they have caused is done, so a simulation is the same each time.
 */

/** A simulated run that takes more steps than this hangs. */
const MAX_STEPS = 15_000;

let working = 0;

/** Replaces the timers and `Date` of this realm. */
export function installClock(): void {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'hrtime'] });
}

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

/** Stands in for `setTimeout` of node:timers/promises, which jest does not replace. */
export function sleepUnlessAborted(
  ms: number,
  value?: unknown,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve(value);
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** @returns whether it was over before the steps or the timers ran out. */
export async function runUntil(isOver: () => boolean): Promise<boolean> {
  for (let step = 0; step < MAX_STEPS; step += 1) {
    // A turn of the event loop settles every promise that nothing outside of it holds up.
    do {
      await new Promise(setImmediate);
      await new Promise(setImmediate);
    } while (working > 0);
    if (isOver()) return true;
    if (jest.getTimerCount() === 0) return false;
    jest.advanceTimersToNextTimer();
  }
  return false;
}
