import { isDeepStrictEqual } from 'node:util';
import { CommandError } from '../../../src/commands/cli/command-error';
import type { CommandContext } from '../../../src/commands/cli/context';
import { toOutcome, type RunOutcome } from '../../../src/commands/runs/bulk';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { findReasonOfNoAccess } from '../../../src/temporal/grpc';
import { contextWith } from '../../unit/commands/runs/context';
import { readFailure } from './resolutions';
import type { SimulatedRun } from './run';
import type { World } from './world';

/*
 * The commands' own code, run by people. What a command says of a run must be true at that moment.
 */

/** What a command prints with `--json`. */
type Said = Partial<RunOutcome> & {
  workflowId?: string;
  type?: string;
  state?: string;
  details?: { runId?: string };
};

const typeOf = (run: SimulatedRun) =>
  run.status === 'FAILED' ? readFailure(run.ending).type : null;
const isUndelivered = ({ isOpen, memo }: SimulatedRun) => isOpen && memo['step'] === 'undelivered';
const hasDelivered = ({ trace }: SimulatedRun) => trace.includes('stored');
const hasToken = ({ trace }: SimulatedRun) => trace.includes('token');
/** An Update comes before what ends in the same activation. */
const knowsToken = ({ seenEnds, activations }: SimulatedRun) =>
  seenEnds.some(
    ({ activity, end, seenIn }) =>
      activity.type === 'createLinkToken' && 'result' in end && seenIn < activations,
  );
const isRedelivering = ({ updates, activations }: SimulatedRun) =>
  [...updates.values()].some(
    ({ name, acceptedIn, endedIn }) =>
      name === 'redeliver' && acceptedIn !== null && (endedIn ?? Infinity) >= activations,
  );

/** When each word is true of the run that it is about. */
const WORDS: Record<string, (run: SimulatedRun, said: Said) => boolean> = {
  started: () => true,
  delivered: (run, { receipt }) =>
    run.status === 'COMPLETED' && isDeepStrictEqual(receipt, run.ending),
  failed: (run, { type }) =>
    run.status === 'TERMINATED' || (type !== undefined && typeOf(run) === type),
  cancelled: (run) => run.status === 'CANCELLED' || typeOf(run) === 'Cancelled',
  undelivered: isUndelivered,
  skipped: (run, { state }) => (state === 'delivered' ? hasDelivered(run) : run.isOpen),
  refused(run, { type, state }) {
    if (state === 'delivered') return hasDelivered(run);
    if (state !== undefined) return hasToken(run);
    if (type === 'OtherWorkflowType') return run.type !== WORKFLOW_TYPES.prepare;
    if (type === 'DifferentRequest') return run.isOpen;
    if (type === 'NothingToDeliver') {
      return !run.isOpen || run.isCancelRequested || !knowsToken(run);
    }
    return type === 'RedeliveryInProgress' && isRedelivering(run);
  },
};

/** Runs a command to its end. One that does not reach Temporal says nothing of a run. */
export async function runCommand(
  { temporal, say }: World,
  work: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const { output, ...context } = contextWith(temporal.client, { json: true });

  function judge(said: Said): void {
    const { workflowId } = said;
    // A run that ends as TokenExists names the run that has the token.
    const runId = said.details?.runId ?? said.runId;
    if (workflowId === undefined || said.action === undefined) return;
    const { action } = said;
    say(`a command says of ${workflowId}: ${action}`);
    // The error that ends a command names no run: a reset may have started another one meanwhile.
    const runs = temporal.runs.filter((run) =>
      runId === undefined ? run.workflowId === workflowId : run.runId === runId,
    );
    if (runs.some((run) => WORDS[action]?.(run, said))) return;
    temporal.errors.push(`what a command says is true: ${JSON.stringify(said)}`);
  }

  try {
    await work({ ...context, output: { ...output, print: judge } });
  } catch (error) {
    if (findReasonOfNoAccess(error) !== null) return;
    if (!(error instanceof CommandError)) throw error;
    judge(toOutcome(error));
  }
}
