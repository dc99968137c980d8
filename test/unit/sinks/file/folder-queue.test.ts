import { createQueue } from '../../../../src/sinks/file/folder-queue';
import { SinkUnavailableError } from '../../../../src/sinks/sink';

beforeEach(() => void jest.useFakeTimers({ now: Date.parse('2026-11-28T12:00:00Z') }));
afterEach(() => void jest.useRealTimers());

/** Creates operations that end when the test says so, and a list of those that were started. */
function startFolder() {
  const starts: string[] = [];
  const ends = new Map<string, (result: string | Promise<string>) => void>();
  const { signal } = new AbortController();
  const runInTurn = createQueue('/tokens');
  return {
    starts,
    end: (name: string, result: string | Promise<string> = name) => ends.get(name)?.(result),
    run: (name: string, abort = signal) =>
      runInTurn(() => {
        starts.push(name);
        return new Promise<string>((resolve) => ends.set(name, resolve));
      }, abort),
  };
}

const UNANSWERED = new SinkUnavailableError(
  'the directory /tokens of the sink has not answered since 2026-11-28T12:00:00.000Z: ' +
    'check its file system, such as the server of a network share',
);

it('operations on a folder run one at a time, in order, even after a failure', async () => {
  const { run, starts, end } = startFolder();
  const results = Promise.allSettled(['first', 'second', 'third'].map((name) => run(name)));
  await jest.advanceTimersByTimeAsync(9000);
  expect(starts).toEqual(['first']);
  const reason = new Error('the disk is full');
  end('first', Promise.reject(reason));
  await jest.advanceTimersByTimeAsync(9000);
  expect(starts).toEqual(['first', 'second']);
  end('second');
  await jest.advanceTimersByTimeAsync(0);
  end('third');
  const fulfilled = ['second', 'third'].map((value) => ({ status: 'fulfilled', value }));
  expect(await results).toEqual([{ status: 'rejected', reason }, ...fulfilled]);
});

it.each<[ending: string, result: () => string | Promise<string>]>([
  ['returns', () => 'late'],
  ['fails', () => Promise.reject(new Error('the share is gone'))],
])('an operation that hangs fails, and so do all others until it %s', async (_ending, result) => {
  const { run, starts, end } = startFolder();
  const [hung, waiting] = [run('hung'), run('waiting')].map((operation) =>
    expect(operation).rejects.toEqual(UNANSWERED),
  );
  await jest.advanceTimersByTimeAsync(10_000);
  await Promise.all([hung, waiting]);
  await jest.advanceTimersByTimeAsync(3_600_000);
  await expect(run('an hour later')).rejects.toEqual(UNANSWERED);
  end('hung', result());
  await jest.advanceTimersByTimeAsync(0);
  const next = run('after its end');
  await jest.advanceTimersByTimeAsync(0);
  expect(starts).toEqual(['hung', 'after its end']);
  end('after its end');
  await expect(next).resolves.toBe('after its end');
});

it('a cancelled operation ends at once, and one that waited is not started', async () => {
  const { run, starts, end } = startFolder();
  const controller = new AbortController();
  const reason = new Error('cancelled');
  const both = ['running', 'waiting'].map((name) =>
    expect(run(name, controller.signal)).rejects.toBe(reason),
  );
  await jest.advanceTimersByTimeAsync(0);
  controller.abort(reason);
  await Promise.all(both);
  end('running');
  await jest.advanceTimersByTimeAsync(0);
  expect(starts).toEqual(['running']);
});
