import {
  CommandError,
  EXIT_CODES,
  type ExitCode,
} from '../../../../src/commands/cli/command-error';
import { createBulk, toDelivered, type RunOutcome } from '../../../../src/commands/runs/bulk';
import { aReceipt } from '../../samples';
import { grpcError } from '../../temporal/scripted-server';
import { contextWith } from './context';

const UNAVAILABLE = 14;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const { done, failed, undelivered, refused, cancelled } = EXIT_CODES;

/**
 * Works on one run for each of these outcomes. Returns what is printed, the summary and the exit
 * code.
 */
async function workOn(outcomes: (RunOutcome | Error)[], untilDone = () => Promise.resolve()) {
  const { output, printed } = contextWith({});
  const items = outcomes.map((outcome, index) => ({ workflowId: `run-${index}`, outcome }));
  const bulk = createBulk(output, items.length, 'request');
  const work = bulk
    .forEach(items, async ({ outcome }) => {
      await untilDone();
      if (outcome instanceof Error) throw outcome;
      return outcome;
    })
    .then(() => bulk.printSummary());
  const error = (await work.catch((thrown: unknown) => thrown)) as CommandError | undefined;
  const lines = printed.map((line) => line.trim());
  return { code: error?.exitCode ?? done, lines: [...lines, ...(error?.lines ?? [])] };
}

const delivered = (unconfirmedTokens: number) =>
  toDelivered(aReceipt({ sink: 'drop', unconfirmedTokens }));
const DELIVERED_EARLIER = new CommandError(['run a delivered', '  sink'], refused, {
  state: 'delivered',
  receipt: aReceipt({ sink: 'drop' }),
});
const DELIVERED_OTHER = new CommandError(['it differs', '  sink'], refused, {
  state: 'delivered',
  type: 'DifferentRequest',
});
const ABANDONED = new CommandError('run a is of another type', refused, {
  type: 'OtherWorkflowType',
});
const DIFFERENT = new CommandError(['it differs', '  sink: a, b'], refused, {
  type: 'DifferentRequest',
});
const UNDELIVERED = new CommandError(['SinkRejected: no', 'the token is kept'], undelivered);

const NOTHING = new CommandError('none', refused, { type: 'NothingToDeliver' });
const TOO_LONG = new CommandError(`x${'y'.repeat(2000)}`, refused);
const CANCELLED = new CommandError('the run was cancelled', cancelled);
const INVALID = new CommandError('InvalidRequest: no', failed);

it.each<[what: string, code: ExitCode, line: string, outcome: RunOutcome | Error]>([
  ['a delivered run', 0, 'delivered    run-0  in sink drop', delivered(0)],
  [
    'a delivered run with unconfirmed tokens',
    0,
    'delivered    run-0  in sink drop; 2 unconfirmed tokens',
    delivered(2),
  ],
  [
    'a run that delivered earlier',
    0,
    'skipped      run-0  a token was delivered to sink drop before',
    DELIVERED_EARLIER,
  ],
  ['a run that delivered another request', 6, 'refused      run-0  it differs', DELIVERED_OTHER],
  ['a run that delivers nothing, since it is cancelled', 6, 'refused      run-0  none', NOTHING],
  [
    'a pair with a run of another type',
    6,
    'refused      run-0  run a is of another type',
    ABANDONED,
  ],
  ['a run of a different request', 6, 'refused      run-0  it differs; sink: a, b', DIFFERENT],
  ['a refusal that is too long', 6, `refused      run-0  x${'y'.repeat(998)}…`, TOO_LONG],
  ['an undelivered run', 5, 'undelivered  run-0  SinkRejected: no', UNDELIVERED],
  ['a cancelled run', 1, 'cancelled    run-0  the run was cancelled', CANCELLED],
  ['a failed run', 1, 'failed       run-0  InvalidRequest: no', INVALID],
  ['an unexpected error', 1, 'failed       run-0  Unexpected error', new Error('Unexpected error')],
])(
  'a bulk command counts %s as exit code %d, and prints it on one line',
  async (_what, code, line, outcome) => {
    expect(await workOn([outcome])).toMatchObject({
      code,
      lines: [line, expect.anything()],
    });
  },
);

it('a bulk command counts the outcomes, and exits with the code of the worst', async () => {
  const outcomes = [delivered(0), DELIVERED_EARLIER, DIFFERENT, UNDELIVERED];
  const { code, lines } = await workOn(outcomes);
  expect(code).toBe(undelivered);
  expect(lines.at(-1)).toBe('4 requests: 1 delivered, 1 skipped, 1 refused, 1 undelivered');
  expect(await workOn([...outcomes, new Error('no')])).toMatchObject({ code: failed });
  expect(await workOn([])).toEqual({ code: done, lines: ['0 requests'] });
});

it('a bulk command prints a reason once, and at the end how many runs have it', async () => {
  const away = new CommandError('SinkUnavailable: no', undelivered);
  const { lines } = await workOn([UNDELIVERED, away, away, delivered(0), UNDELIVERED, away]);
  expect(lines).toEqual([
    'undelivered  run-0  SinkRejected: no',
    'undelivered  run-1  SinkUnavailable: no',
    'undelivered  run-2',
    'delivered    run-3  in sink drop',
    'undelivered  run-4',
    'undelivered  run-5',
    '6 requests: 5 undelivered, 1 delivered',
    '  3 undelivered: SinkUnavailable: no',
    '  2 undelivered: SinkRejected: no',
  ]);
});

it('a bulk command prints its progress every ten seconds, with --json, too', async () => {
  jest.useFakeTimers();
  const { output, printed, errors } = contextWith({}, { json: true });
  const items = Array.from({ length: 60 }, (_, index) => ({ workflowId: `run-${index}` }));
  const bulk = createBulk(output, items.length, 'request');
  const work = bulk.showProgress(
    (count) => `${count} to do`,
    () =>
      bulk.forEach(items, async () => {
        await sleep(8000);
        return delivered(0);
      }),
  );
  await jest.runAllTimersAsync();
  await work;
  bulk.printSummary();
  jest.useRealTimers();
  expect(errors).toEqual(['60 to do\n', '20 delivered, 40 to do\n', '40 delivered, 20 to do\n']);
  const objects = printed.map((line) => JSON.parse(line) as unknown);
  expect(objects).toHaveLength(61);
  expect(objects.at(-1)).toEqual({ total: 60, counts: { delivered: 60 } });
});

it('a bulk command works on 20 runs at a time', async () => {
  const ends: (() => void)[] = [];
  const outcomes = Array<RunOutcome>(21).fill(delivered(0));
  const bulk = workOn(outcomes, () => new Promise((resolve) => void ends.push(resolve)));
  await new Promise(setImmediate);
  expect(ends).toHaveLength(20);
  ends[7]?.();
  await new Promise(setImmediate);
  expect(ends).toHaveLength(21);
  for (const end of ends) end();
  await bulk;
});

it('a bulk command ends with the error of a call that did not reach Temporal', async () => {
  const away = grpcError(UNAVAILABLE, 'No connection established');
  const { output } = contextWith({});
  const items = [{ workflowId: 'run-0' }];
  const bulk = createBulk(output, items.length, 'request');
  await expect(bulk.forEach(items, () => Promise.reject(away))).rejects.toBe(away);
});
