import { shareCalls } from '../../../src/activities/share-calls';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

it('a shared call is made once for each key until its time is over', async () => {
  const call = jest.fn((org: string, credential: string) =>
    Promise.resolve(`${org} ${credential}`),
  );
  const shared = shareCalls(call, 10_000);
  expect(await Promise.all([shared('a', 'x'), shared('a', 'x'), shared('b', 'x')])).toEqual([
    'a x',
    'a x',
    'b x',
  ]);
  await jest.advanceTimersByTimeAsync(9_999);
  await shared('a', 'x');
  expect(call).toHaveBeenCalledTimes(2);
  await jest.advanceTimersByTimeAsync(1);
  await shared('a', 'x');
  expect(call).toHaveBeenCalledTimes(3);
});

it('a shared call that fails is made again', async () => {
  const call = jest.fn(() => Promise.reject(new Error('403')));
  const shared = shareCalls(call, 10_000);
  await expect(shared()).rejects.toThrow('403');
  await expect(shared()).rejects.toThrow('403');
  expect(call).toHaveBeenCalledTimes(2);
});
