import { CommandError } from '../../../../src/commands/cli/command-error';
import { EXIT_CODES, type ExitCode } from '../../../../src/commands/cli/exit-codes';
import { runBulk, toDelivered, type RunOutcome } from '../../../../src/commands/runs/bulk';
import type { Receipt } from '../../../../src/contract/schemas';
import { contextWith } from './context';

const { done, failed, undelivered, refused, cancelled } = EXIT_CODES;

/** Works on one run for each of these outcomes. Returns what is printed, the summary and the exit code. */
async function workOn(outcomes: (RunOutcome | Error)[], untilDone = () => Promise.resolve()) {
  const { output, printed } = contextWith({});
  const items = outcomes.map((outcome, index) => ({ workflowId: `run-${index}`, outcome }));
  const work = runBulk(items, 'request', output, async ({ outcome }) => {
    await untilDone();
    if (outcome instanceof Error) throw outcome;
    return outcome;
  });
  const error = (await work.catch((thrown: unknown) => thrown)) as CommandError | undefined;
  const lines = printed.map((line) => line.trim());
  return { code: error?.exitCode ?? done, lines: [...lines, ...(error?.lines ?? [])] };
}

const delivered = (unconfirmedTokens: number) =>
  toDelivered({ location: 'file x', unconfirmedTokens } as Receipt);
const DELIVERED_EARLIER = new CommandError(['run a delivered', '  sink'], refused, { refused: 'delivered' });
const DIFFERENT = new CommandError(['it differs', '  sink: a, b'], refused, { type: 'DifferentRequest' });
const UNDELIVERED = new CommandError(['SinkRejected: no', 'the token is kept'], undelivered);

it.each<[outcome: RunOutcome | Error, code: ExitCode, line: string]>([
  [delivered(0), 0, 'delivered  run-0: file x'],
  [delivered(2), 0, 'delivered  run-0: file x; 2 unconfirmed'],
  [DELIVERED_EARLIER, 0, 'skipped  run-0: run a delivered'],
  [new CommandError('none', refused, { type: 'NothingToDeliver' }), 0, 'skipped  run-0: none'],
  [DIFFERENT, 6, 'refused  run-0: it differs; sink: a, b'],
  [new CommandError(`x${'y'.repeat(2000)}`, refused), 6, `refused  run-0: x${'y'.repeat(998)}…`],
  [UNDELIVERED, 5, 'undelivered  run-0: SinkRejected: no'],
  [new CommandError('the run was cancelled', cancelled), 1, 'cancelled  run-0: the run was cancelled'],
  [new CommandError('InvalidRequest: no', failed), 1, 'failed  run-0: InvalidRequest: no'],
  [new Error('Unexpected error'), 1, 'failed  run-0: Unexpected error'],
])('the outcome of a run (%#) is a line and an exit code', async (outcome, code, line) => {
  expect(await workOn([outcome])).toMatchObject({ code, lines: [`1/1  ${line}`, expect.anything()] });
});

it('the worst outcome decides the exit code of many, which are counted', async () => {
  const outcomes = [delivered(0), DELIVERED_EARLIER, DIFFERENT, UNDELIVERED];
  const { code, lines } = await workOn(outcomes);
  expect(code).toBe(undelivered);
  expect(lines.at(-1)).toBe('4 requests: 1 delivered, 1 skipped, 1 refused, 1 undelivered');
  expect(await workOn([...outcomes, new Error('no')])).toMatchObject({ code: failed });
  expect(await workOn([])).toEqual({ code: done, lines: ['0 requests'] });
});

it('20 runs are worked on at a time, and the next once one has its outcome', async () => {
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
