import { existsSync, openSync, writeSync } from 'node:fs';
import { shortened } from '../contract/printable';
import { errnoOf } from '../files';
import { createBulkRunner, outcomeOf, type RunOutcome } from './runs/bulk';
import { CommandError, EXIT_CODES } from './cli/command-error';
import { inputFile } from './cli/input-file';
import type { StartFromOptions } from './cli/options';
import type { CommandContext } from './cli/temporal';
import { noteMissingWorker } from './runs/missing-worker';
import type { NumberedRequest, RequestsFile } from './cli/requests-file';
import { follow } from './runs/follow';
import { lookAtRuns, startOrJoin } from './runs/start-or-join';

/** A reason may quote an access list. */
const MAX_REASON_LENGTH = 1000;

const GOES_ON = 'the started runs go on; the same command starts the rest';

/**
 * Starts a run for each request of a file, a few at once, except where a run is open or has delivered: so the command can be
 * repeated.
 */
export async function startFrom(
  context: CommandContext,
  from: RequestsFile,
  options: StartFromOptions,
): Promise<void> {
  const { client, taskQueue, output } = context;
  const { results, dryRun } = options;
  const record = results === undefined ? undefined : openResults(results, from);
  const bulk = createBulkRunner(from.requests.length, output);
  if (!dryRun) {
    await noteMissingWorker(client, taskQueue, output);
    output.setFollowUp(`${GOES_ON}; list runs: live-migration-prep list`);
  }
  await bulk.run(from.requests, (item) => startOne(context, item, options).catch(refusalOf), record);
  bulk.finish('request(s)');
}

async function startOne(
  { client, taskQueue }: CommandContext,
  { workflowId, request }: NumberedRequest,
  { wait, dryRun }: StartFromOptions,
): Promise<RunOutcome> {
  if (dryRun) {
    const { open } = await lookAtRuns(client, workflowId, request, false);
    return open ? isOpenAlready(open.runId) : { action: 'would start', reason: `into sink ${request.sink}` };
  }
  const started = await startOrJoin(client, workflowId, request, { taskQueue, again: false });
  const { runId } = started;
  if (wait) return { runId, ...(await outcomeOf(follow(client, { workflowId, runId }))) };
  return started.joined ? isOpenAlready(runId) : { action: 'started', reason: `run ${runId}`, runId };
}

function isOpenAlready(runId: string): RunOutcome {
  return { action: 'skipped', reason: `a run of an equal request is open (${runId})`, runId };
}

/**
 * What was delivered before needs nothing; any other refusal needs somebody.
 *
 * @throws the error when it is no refusal.
 */
function refusalOf(error: unknown): RunOutcome {
  if (!(error instanceof CommandError) || error.exitCode !== EXIT_CODES.refused) throw error;
  const facts = error.facts as { refused?: string };
  if (facts.refused === 'delivered') return { ...facts, action: 'skipped', reason: error.lines[0] ?? '' };
  const reason = error.lines
    .map((line) => line.trim())
    .join('; ')
    .replaceAll(':; ', ': ');
  return { ...facts, action: 'refused', reason: shortened(reason, MAX_REASON_LENGTH) };
}

/** @throws CommandError when the file cannot be written, or is the file of requests. */
function openResults(path: string, { stats: requests }: RequestsFile) {
  if (existsSync(path)) {
    const { stats, invalid } = inputFile(
      '--results',
      path,
      'name a regular file, or one that does not exist yet',
    );
    if (stats.ino === requests.ino && stats.dev === requests.dev)
      throw invalid('is the file that --from names');
  }
  const file = openForWriting(path);
  return ({ line, workflowId }: NumberedRequest, outcome: RunOutcome) => {
    try {
      writeSync(file, `${JSON.stringify({ line, workflowId, ...outcome })}\n`);
    } catch (error) {
      throw new CommandError([
        `--results ${path} cannot be written (${errnoOf(error)}): correct that, then repeat the command`,
        GOES_ON,
      ]);
    }
  };
}

function openForWriting(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw new CommandError(`--results ${path} cannot be written (${errnoOf(error)})`, EXIT_CODES.usage);
  }
}
