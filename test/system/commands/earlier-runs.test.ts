import { EXIT_CODES, type ExitCode } from '../../../src/commands/cli/command-error';
import type { Target } from '../../support/command-line';
import { startForgedRun } from '../../support/forged-run';
import { newOrgId } from '../../support/ids';
import { objectIn } from '../../support/run-command';
import { end } from '../../support/runs';
import { fixture } from './shared-fixture';

/** A task queue that no worker polls. */
const NOBODY = `nobody-${newOrgId()}`;
const { done, failed, timedOut, undelivered, refused, cancelled } = EXIT_CODES;

/** The runs of a pair of organizations, and their sink. */
type Earlier = Target & { sink: string };

/** A command, its exit code, the facts that it prints, and its message. */
type Row = [command: string, code: ExitCode, facts: object, error?: RegExp];

const says = (pattern: RegExp): unknown => expect.stringMatching(pattern);

/**
 * Runs `start --again`, for example, on the earlier run. Returns its exit code and the facts that
 * it prints last.
 */
async function runOn({ name: run, requestOptions, sink }: Earlier, command: string) {
  const [name = '', ...more] = command.split(' ');
  const ownOptions = name === 'start' ? requestOptions(sink) : [run];
  const exit = await fixture().client('--json', name, ...ownOptions, ...more);
  return Object.assign(exit, objectIn(exit));
}

/** Starts a run, waits for it, and ends it if it is still open. */
async function ran(
  sink: string,
  how?: 'cancel' | 'terminate',
  target = fixture().newTarget(),
): Promise<Earlier> {
  const { workflowId } = target;
  await runOn({ ...target, sink }, 'start --wait --again');
  if (how) await end(fixture().temporal.workflow.getHandle(workflowId), how);
  return { ...target, sink };
}

/** A run of another workflow type under the usual id. */
async function ranOtherType(completes: boolean): Promise<Earlier> {
  const target = fixture().newTarget();
  const forged = await startForgedRun(fixture().temporal, target.workflowId);
  if (completes) await forged.complete();
  return { ...target, sink: 'files' };
}

const DELIVERED = { state: 'delivered', receipt: { deliveryId: says(/^[\da-f-]{36}$/) } };
const OTHER_TYPE = {
  type: 'OtherWorkflowType',
  error: says(/ is the id of a run of workflow type other, not prepareLiveMigration: /),
};
const REJECTED = { type: 'SinkRejected', error: says(/^SinkRejected: .* is not a directory/) };
/** The note of a start beside a token that was left. */
const LEFT =
  /^note: run \S+ left token \S+: look in sink blocked first; .* revoke it: `echo '\{.*"publicApiKey":"[a-z]{8}"\}' \| live-migration-prep revoke --from -`/;
const NOTHING_LEFT: unknown = expect.not.stringContaining('left token');
const TO_FILES = { receipt: { sink: 'files' } };
const AFTER_OTHERS = { receipt: { sink: 'files', alsoTried: ['blocked', 'nowhere'] } };
const FOLLOW_UP =
  / s\nif a run was started, it goes on; follow it: live-migration-prep watch [a-f0-9]{24}\/[a-f0-9]{24}$/;
const DIFFERENT_SINK = /\n {2}sink: "blocked" in that run, "files" in yours/;

/**
 * Runs commands on a run, one after another, and expects that there is this number of tokens at the
 * end.
 */
function commandsOn(
  what: string,
  tokens: number,
  arrange: () => Promise<Earlier>,
  rows: Row[],
): void {
  it.concurrent(`commands on a run ${what} end as the table says`, async () => {
    const earlier = await arrange();
    for (const [command, code, facts, error] of rows) {
      const expected = error ? { code, ...facts, error: says(error) } : { code, ...facts };
      expect([command, await runOn(earlier, command)]).toMatchObject([command, expected]);
    }
    expect(earlier.created()).toBe(tokens);
  });
}

const neverRan = () => Promise.resolve({ ...fixture().newTarget(), sink: 'files' });

commandsOn('that never was, or that no worker takes', 0, neverRan, [
  ...['watch', 'cancel', 'redeliver'].map((command): Row => [
    command,
    failed,
    {},
    /^Temporal has no run /,
  ]),
  [
    `start --task-queue ${NOBODY}`,
    done,
    { action: 'started', stderr: says(/^note: no worker polls task queue nobody-/) },
  ],
  ['start', done, { action: 'skipped' }],
  ['start --wait --timeout 20s', timedOut, {}, FOLLOW_UP],
]);

commandsOn('that delivered', 2, () => ran('files'), [
  [
    'start',
    refused,
    DELIVERED,
    /^run \S+ delivered a token .* it is in file .*start --org .* --again/,
  ],
  ['start --dry-run', refused, DELIVERED],
  ['watch', done, TO_FILES],
  [
    'cancel',
    refused,
    { state: 'ended', status: 'COMPLETED' },
    /\nsee .*: live-migration-prep watch /,
  ],
  ['redeliver', refused, DELIVERED],
  ['start --wait --again', done, TO_FILES],
]);

commandsOn('that failed', 1, () => ran('none'), [
  ['redeliver', refused, { type: 'NothingToDeliver' }, /: nothing to deliver$/],
  ['start --wait --sink files', done, TO_FILES],
]);

commandsOn('that is undelivered', 1, () => ran('blocked'), [
  ['start', done, { action: 'skipped' }],
  ['start --wait', undelivered, REJECTED],
  ['start --sink files', refused, { type: 'DifferentRequest' }, DIFFERENT_SINK],
  ['watch', undelivered, { ...REJECTED, unconfirmedTokens: 0 }],
  ['redeliver', undelivered, REJECTED],
  ['redeliver --sink nowhere', undelivered, { type: 'SinkUnavailable' }, /; sink blocked: /],
  ['redeliver --sink files', done, AFTER_OTHERS],
]);

commandsOn('that was cancelled with a token', 2, () => ran('blocked', 'cancel'), [
  ['redeliver', refused, { type: 'NothingToDeliver' }],
  ['watch', cancelled, {}, /^the run was cancelled/],
  ['start --wait --sink files', done, { ...TO_FILES, stderr: NOTHING_LEFT }],
  ['start', refused, DELIVERED],
]);

commandsOn('that was terminated with a token', 2, () => ran('blocked', 'terminate'), [
  ['redeliver', refused, { type: 'NothingToDeliver' }],
  ['watch', failed, {}, /^the run was terminated: .*\nif it held a token: look in sink blocked /],
  ['start --dry-run --sink files', done, { action: 'would start', stderr: says(LEFT) }],
  ['start --wait --sink files', done, { ...TO_FILES, stderr: says(LEFT) }],
  ['start', refused, DELIVERED],
]);

commandsOn('of another workflow type that is open', 0, () => ranOtherType(false), [
  ['start', refused, OTHER_TYPE],
  ['watch', refused, OTHER_TYPE],
  ['cancel', refused, OTHER_TYPE],
  ['redeliver', refused, OTHER_TYPE],
]);

commandsOn('of another workflow type that completed', 1, () => ranOtherType(true), [
  ['start --wait', done, TO_FILES],
]);

/** Delivers in a run whose history is larger than gRPC receives by default. */
async function ranWithLongHistory(): Promise<Earlier> {
  const run = await ran('blocked');
  const handle = fixture().temporal.workflow.getHandle(run.workflowId);
  for (let signals = 0; signals < 3; signals += 1) {
    await handle.signal('unknown', 'x'.repeat(1_500_000));
  }
  await runOn(run, 'redeliver --sink files');
  return run;
}

commandsOn('that delivered, with a history of 4.5 MB', 1, ranWithLongHistory, [
  ['start', refused, DELIVERED],
]);

it.concurrent('ten equal starts at once join one run, which creates one token', async () => {
  const target = { ...fixture().newTarget(), sink: 'blocked' };
  const exits = await Promise.all(Array.from({ length: 10 }, () => runOn(target, 'start')));
  expect(new Set(exits.map(({ code }) => code))).toEqual(new Set([done]));
  expect(new Set(exits.map(({ runId }) => runId)).size).toBe(1);
  expect(exits.filter(({ action }) => action === 'skipped')).toHaveLength(9);
  expect(await runOn(target, 'watch')).toMatchObject({ code: undelivered });
  expect(target.created()).toBe(1);
});
