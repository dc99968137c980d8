import { createQueue } from '../../../../src/sinks/file/queue';
import { SinkUnavailableError } from '../../../../src/sinks/sink';

beforeEach(() => void jest.useFakeTimers({ now: Date.parse('2026-11-28T12:00:00Z') }));
afterEach(() => void jest.useRealTimers());

/** Makes an operation that returns when the test says so, and a list of those that were started. */
function startFolder() {
  const started: string[] = [];
  const ends = new Map<string, (result: string) => void>();
  const { signal } = new AbortController();
  const runInTurn = createQueue('/tokens');
  return {
    started,
    end: (name: string) => ends.get(name)?.(name),
    run: (name: string, abort = signal) =>
      runInTurn(() => {
        started.push(name);
        return new Promise<string>((resolve) => ends.set(name, resolve));
      }, abort),
  };
}

const UNANSWERED = new SinkUnavailableError(
  'the directory /tokens of the sink has not answered since 2026-11-28T12:00:00.000Z: ' +
    'check its file system, such as the server of a network share',
);

it('runs one operation at a time, also after one that failed', async () => {
  const { run, started, end } = startFolder();
  const results = ['first', 'second', 'third'].map((name) => run(name));
  await jest.advanceTimersByTimeAsync(9000);
  expect(started).toEqual(['first']);
  end('first');
  await jest.advanceTimersByTimeAsync(9000);
  expect(started).toEqual(['first', 'second']);
  end('second');
  await jest.advanceTimersByTimeAsync(0);
  end('third');
  await expect(Promise.all(results)).resolves.toEqual(['first', 'second', 'third']);
});

it('fails what waits, and each later operation, until a hung one returns', async () => {
  const { run, started, end } = startFolder();
  const [hung, waiting] = [run('hung'), run('waiting')].map((result) => expect(result).rejects.toEqual(UNANSWERED));
  await jest.advanceTimersByTimeAsync(10_000);
  await Promise.all([hung, waiting]);
  await jest.advanceTimersByTimeAsync(3_600_000);
  await expect(run('an hour later')).rejects.toEqual(UNANSWERED);
  end('hung');
  await jest.advanceTimersByTimeAsync(0);
  const next = run('after its return');
  await jest.advanceTimersByTimeAsync(0);
  expect(started).toEqual(['hung', 'after its return']);
  end('after its return');
  await expect(next).resolves.toBe('after its return');
});

it('ends at once when it is cancelled, and does not start what waited', async () => {
  const { run, started, end } = startFolder();
  const controller = new AbortController();
  const cancelled = new Error('cancelled');
  const both = ['running', 'waiting'].map((name) => expect(run(name, controller.signal)).rejects.toBe(cancelled));
  await jest.advanceTimersByTimeAsync(0);
  controller.abort(cancelled);
  await Promise.all(both);
  end('running');
  await jest.advanceTimersByTimeAsync(0);
  expect(started).toEqual(['running']);
});
