import { createSharing } from '../../../src/activities/share-calls';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

it('a shared call is made once for each key until its time is over', async () => {
  const call = jest.fn((answer: string) => Promise.resolve(answer));
  const share = createSharing<string>(10_000);
  const ask = (key: string) => share(key, () => call(`answer to ${key}`));
  expect(await Promise.all([ask('a'), ask('a'), ask('b')])).toEqual([
    'answer to a',
    'answer to a',
    'answer to b',
  ]);
  await jest.advanceTimersByTimeAsync(9_999);
  await ask('a');
  expect(call).toHaveBeenCalledTimes(2);
  await jest.advanceTimersByTimeAsync(1);
  await ask('a');
  expect(call).toHaveBeenCalledTimes(3);
});

it('a shared call that fails is made again', async () => {
  const call = jest.fn(() => Promise.reject(new Error('403')));
  const share = createSharing(10_000);
  await expect(share('a', call)).rejects.toThrow('403');
  await expect(share('a', call)).rejects.toThrow('403');
  expect(call).toHaveBeenCalledTimes(2);
});
