import { isDeepStrictEqual } from 'node:util';
import type { SimulatedRun } from './run';
import type { Observed } from './sentences';
import type { SimulatedUpdate } from './updates';
import type { World } from './world';

/*
 * The sentences on what callers read: the outcomes of Updates, endings, and receipts.
 */

/** @returns whether it holds, or what does not. */
export type RunRule = (observed: Observed, world: World) => boolean | string;

export const CALLER_RULES: Record<string, RunRule> = {
  'whoever waits for an Update gets its outcome': ({ run }) =>
    isTerminated(run) || acceptedBy(run).every(({ outcome }) => outcome !== null),
  'the outcome of an Update is that of its round, of its redelivery or of its run': (observed) => {
    const wrong = acceptedBy(observed.run).find((update) => !isOwnOutcome(update, observed));
    return !wrong || JSON.stringify(wrong);
  },
  'a redelivery is accepted only once the one before has its outcome': ({ run }) => {
    const redeliveries = acceptedBy(run).filter(({ name }) => name === 'redeliver');
    return redeliveries.every(
      ({ acceptedIn }, index) =>
        index === 0 || Number(acceptedIn) >= (redeliveries[index - 1]?.endedIn ?? Infinity),
    );
  },
  'the type of a failure is that of what ended the run': (observed, world) => {
    const { type, message } = observed.ending;
    const expected = observed.run.status === 'FAILED' ? typeOf(observed, world) : type;
    return type === expected || `${type}, not ${expected}: ${message}`;
  },
  'a receipt says what is true': (observed, world) => {
    const wrong = observed.run.status === 'COMPLETED' ? findWrongFields(observed, world) : [];
    return wrong.length === 0 || wrong.join(', ');
  },
};

const isTerminated = ({ status }: SimulatedRun) => status === 'TERMINATED';
const acceptedBy = ({ updates }: SimulatedRun) =>
  [...updates.values()].filter(({ acceptedIn }) => acceptedIn !== null);

function isOwnOutcome(
  { name, sink, acceptedIn, endedIn, outcome }: SimulatedUpdate,
  { run, ending }: Observed,
): boolean {
  if (outcome === null) return true;
  if ('result' in outcome) {
    return run.status === 'COMPLETED' && isDeepStrictEqual(outcome.result, run.ending);
  }
  const { message, applicationFailureInfo } = outcome.failure;
  const type = applicationFailureInfo?.type;
  const isLast = endedIn === run.activations;
  if (isLast && run.status === 'CANCELLED') return type === 'Cancelled';
  if (isLast && run.status === 'FAILED') return type === ending.type && message === ending.message;
  const [request] = run.args as [{ sink: string }];
  return run.seenEnds.some(({ activity, end, seenIn }) => {
    const isOwn = name !== 'redeliver' || activity.args[1] === (sink ?? request.sink);
    const isLater = name !== 'redeliver' || activity.scheduledIn >= Number(acceptedIn);
    const reason = 'failure' in end ? String(end.failure.message).slice(0, 200) : '';
    const hasFailed = activity.type === 'deliverLinkToken' && !('cancelled' in end);
    return (
      hasFailed && isOwn && isLater && seenIn === endedIn && message?.includes(reason) === true
    );
  });
}

/** The type of a failure, by what ended the run. */
function typeOf({ run, history, ending }: Observed, { watch, temporal }: World): string {
  const last = run.seenEnds.findLast(({ activity: { type } }) => type === 'createLinkToken');
  if (last && (history.token || ending.type === 'Cancelled')) {
    return run.isCancelRequested ? 'Cancelled' : 'none';
  }
  if (last) {
    const gaveUp = ending.message?.startsWith('gave up') === true && !run.isCancelRequested;
    if (gaveUp) return 'AtlasUnavailable';
    const { id, attempt } = last.activity;
    const reply = watch.responses.get(`${run.runId} ${id} ${attempt}`);
    if (reply?.status !== 201) return 'AtlasRequestRejected';
    return 'linkToken' in (reply.json ?? {}) ? 'TokenLost' : 'AtlasResponseInvalid';
  }
  const [{ again }] = run.args as [{ again?: true | string }];
  const [found, permitted] = [ending.runId, again].map((id) =>
    temporal.runs.find(({ runId, workflowId }) => runId === id && workflowId === run.workflowId),
  );
  if (again !== true && found && found.startMs > (permitted?.startMs ?? -1)) return 'TokenExists';
  return temporal.awayUntilMs >= run.startMs ? 'TemporalUnavailable' : 'none';
}

function findWrongFields({ run, history, ending: receipt }: Observed, world: World): string[] {
  const { tokenSha256, deliveryId, createdAt } = history.token ?? {};
  const key = world.keys.find((one) => one.tokenSha256 === tokenSha256);
  const copy = world.stored.findLast(
    ({ sink, linkToken }) => sink === receipt.sink && linkToken === key?.linkToken,
  );
  const [{ orgId, sourceOrgId = null, requestedBy = null }] = run.args as [
    Partial<Observed['ending']>,
  ];
  const truth: Record<string, unknown> = {
    ...{ orgId, sourceOrgId, requestedBy, changeReference: null },
    ...{ accessListIps: key?.accessListIps, credential: 'shared', warnings: [] },
    ...{ tokenSha256, deliveryId, createdAt },
    ...copy?.facts,
  };
  const said: Record<string, unknown> = { ...receipt };
  const wrong = Object.keys(truth).filter((name) => !isDeepStrictEqual(said[name], truth[name]));
  const isPlace = receipt.location?.includes(`https://${receipt.sink}.test`) === true;
  return [...wrong, ...(isPlace ? [] : ['location'])];
}
