import { getEventListeners } from 'node:events';
import { createExpiring } from '../../../src/http/expiring';

interface Value {
  id: number;
  renewAtMs: number;
}

/** An expiring value whose fetches the test settles one by one. */
function controlled() {
  const fetches: { succeed(renewAtMs?: number): void; fail(error: Error): void }[] = [];
  const expiring = createExpiring<Value>(
    () =>
      new Promise((resolve, reject) => {
        const id = fetches.length + 1;
        fetches.push({ succeed: (renewAtMs = Infinity) => resolve({ id, renewAtMs }), fail: reject });
      }),
  );
  return { expiring, fetches };
}

const idsOf = async (...values: Promise<Value>[]) => (await Promise.all(values)).map(({ id }) => id);

afterEach(() => void jest.useRealTimers());

describe('an expiring value', () => {
  it('is fetched once for all who wait, and then kept', async () => {
    const { expiring, fetches } = controlled();
    expect(expiring.peek()).toBeNull();
    const waiting = [expiring.get(), expiring.get(), expiring.get()];
    fetches[0]?.succeed();
    expect(await idsOf(...waiting)).toEqual([1, 1, 1]);
    expect(await idsOf(expiring.get())).toEqual([1]);
    expect(await expiring.peek()).toMatchObject({ id: 1 });
    expect(fetches).toHaveLength(1);
  });

  it('is renewed once for all who come after renewAtMs', async () => {
    const { expiring, fetches } = controlled();
    const first = expiring.get();
    fetches[0]?.succeed(Date.now() + 60_000);
    await first;
    jest.useFakeTimers({ now: Date.now() + 60_001 });
    const waiting = [expiring.get(), expiring.get()];
    await jest.advanceTimersByTimeAsync(0);
    fetches[1]?.succeed();
    expect(await idsOf(...waiting)).toEqual([2, 2]);
    expect(fetches).toHaveLength(2);
  });

  it('is renewed once for all who find the same value stale, and not for one who comes later with it', async () => {
    const { expiring, fetches } = controlled();
    const first = expiring.get();
    fetches[0]?.succeed();
    const stale = await first;
    const isStale = (value: Value) => value === stale;
    const waiting = [expiring.get({ isStale }), expiring.get({ isStale })];
    await Promise.resolve();
    await Promise.resolve();
    fetches[1]?.succeed();
    expect(await idsOf(...waiting)).toEqual([2, 2]);
    expect(await idsOf(expiring.get({ isStale }))).toEqual([2]);
    expect(fetches).toHaveLength(2);
  });

  it('fails for all who wait, and is fetched again by the next', async () => {
    const { expiring, fetches } = controlled();
    const error = new Error('refused');
    const waiting = [expiring.get(), expiring.get()].map((value) => value.catch((reason: unknown) => reason));
    fetches[0]?.fail(error);
    expect(await Promise.all(waiting)).toEqual([error, error]);
    expect(expiring.peek()).toBeNull();
    const next = expiring.get();
    fetches[1]?.succeed();
    expect(await idsOf(next)).toEqual([2]);
  });

  it('stops waiting when the signal aborts, and is fetched on for the others', async () => {
    const { expiring, fetches } = controlled();
    const controller = new AbortController();
    const reason = new Error('stopped');
    const aborted = expiring.get({ signal: controller.signal });
    const other = expiring.get();
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    fetches[0]?.succeed();
    expect(await idsOf(other)).toEqual([1]);
    await expect(expiring.get({ signal: controller.signal })).rejects.toBe(reason);
    expect(fetches).toHaveLength(1);
  });

  it('is not fetched for a signal that has aborted already', async () => {
    const { expiring, fetches } = controlled();
    await expect(expiring.get({ signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    expect(fetches).toEqual([]);
  });

  it('leaves no listener on a signal', async () => {
    const { expiring, fetches } = controlled();
    const { signal } = new AbortController();
    const value = expiring.get({ signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    fetches[0]?.succeed();
    await value;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
