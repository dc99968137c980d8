/**
 * Records one history of each scenario into test/system/replay/histories/<version>/, for the replay test: npm run histories
 * or, to add scenarios and leave the others: npm run histories -- NAME...
 *
 * Record anew when a change of the workflows is meant to be incompatible with open runs, never to make the replay test
 * pass. All of it runs on an embedded Temporal, with a worker whose activities follow scripts: no secret comes near it.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import type { PrepareRequest, SealedToken } from '../../../src/contract/schemas';
import { terminalFailure } from '../../../src/shared/application-failure';
import { VERSION } from '../../../src/version';
import { cleanUp } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import * as runs from '../../support/runs';
import { startScheduled } from '../../support/schedules';
import stopSharedTemporal, { startSharedTemporal } from '../../support/shared-temporal';
import * as attempts from '../../workflow/attempts';
import {
  startScriptedWorker,
  type Script,
  type ScriptedRun,
  type ScriptedWorker,
} from '../../workflow/scripted-worker';

/** The folders of other releases stay as they are: open runs of each have to go on. */
const FOLDER = path.join(__dirname, 'histories', VERSION);
const HOUR_MS = 3_600_000;

const { foundAgain, invalidResponse, lost, noSuchSink, notCreated, rejected, sinkRejects, unconfirmed } =
  attempts;

const LOSES = { create: [lost, foundAgain], plans: { create: { heartbeatTimeoutMs: 1000 } } };
const WAITS = { create: [notCreated(HOUR_MS / 2)] };
const WAITS_UNCONFIRMED = { create: [unconfirmed(), unconfirmed(HOUR_MS / 2)] };
const GIVES_UP = { create: [unconfirmed(), unconfirmed(2 * HOUR_MS)] };
const POSTS = { create: [attempts.afterCancel(attempts.created)] };
const REJECTS = { deliver: [sinkRejects, sinkRejects, noSuchSink] };
const REJECTS_ONCE = { deliver: [sinkRejects] };
const RETRIES = {
  deliver: [attempts.sinkUnavailable(HOUR_MS / 2)],
  plans: { deliver: { roundMs: HOUR_MS } },
};
const NOWHERE = { sink: 'nowhere' };
const OTHER = { sink: 'other' };

/** Each makes the run that is recorded. */
const SCENARIOS: Record<string, () => Promise<WorkflowHandle>> = {
  delivered: () => run({}, [ending]),
  'delivered-after-retries': () => run({ create: [unconfirmed(), notCreated()] }, [ending]),
  'delivered-after-lost-attempt': () => run(LOSES, [ending]),
  'invalid-request': () => run({}, [ending], NOWHERE),
  'token-exists': () => run({ find: tokenExists }, [ending]),
  'atlas-request-rejected': () => run({ create: [rejected] }, [ending]),
  'atlas-response-invalid': () => run({ create: [invalidResponse] }, [ending]),
  'atlas-unavailable': () => run(GIVES_UP, [ending]),
  'in-back-off': () => run(WAITS, [backOff]),
  'in-back-off-after-unconfirmed': () => run(WAITS_UNCONFIRMED, [backOffAfterUnconfirmed]),
  undelivered: () => run(REJECTS, [undelivered]),
  'undelivered-after-updates': () => run(REJECTS, [undelivered, redelivery(), redelivery(NOWHERE)]),
  'redelivered-elsewhere': () => run(REJECTS_ONCE, [undelivered, redelivery(OTHER), ending]),
  'redelivered-elsewhere-while-retrying': () => run(RETRIES, [retry, caller, redelivery(OTHER), ending]),
  'first-contact-by-update': () => contact({}),
  'first-contact-by-update-undelivered': () => contact(REJECTS),
  'first-contact-by-update-invalid-request': () => contact({}, NOWHERE),
  'cancelled-in-back-off': () => run(WAITS, [backOff, cancel]),
  'cancelled-in-back-off-after-unconfirmed': () => run(WAITS_UNCONFIRMED, [backOffAfterUnconfirmed, cancel]),
  'cancelled-during-a-post': () => run(POSTS, [post, cancel]),
  'cancelled-during-a-post-with-token-left': () => run({ ...POSTS, ...REJECTS }, [post, cancel]),
  'cancelled-while-delivering': () => run(RETRIES, [retry, cancel]),
  'cancelled-while-undelivered': () => run(REJECTS, [undelivered, cancel]),
  recovered: () => run(REJECTS, [undelivered, cancel, recovery]),
  scheduled: () => schedule({}),
  'scheduled-while-token-recent': () => schedule({ checkLink: tokenIsRecent }),
  async 'scheduled-while-running'() {
    const { request, handle } = await worker.start(REJECTS);
    await runs.untilStep(handle, 'undelivered');
    return schedule(REJECTS, request);
  },
};

function tokenExists(): never {
  throw terminalFailure('TokenExists', 'there is a token', { state: 'delivered', unconfirmedTokens: 0 });
}

function tokenIsRecent() {
  return { linked: false, recentToken: true, lastTokenAt: new Date().toISOString(), tokenRunId: null };
}

type Step = (run: ScriptedRun) => Promise<unknown>;

const post: Step = ({ calls }) => eventually('a POST', () => calls.creations === 1);
const backOff: Step = ({ handle }) => runs.untilBackOff(handle);
const backOffAfterUnconfirmed: Step = ({ handle }) =>
  eventually('a wait', async () => (await runs.statusOf(handle)).unconfirmedTokens === 2);
const retry: Step = ({ handle }) => runs.untilDeliveryFails(handle);
const undelivered: Step = ({ handle }) => runs.untilStep(handle, 'undelivered');
const caller: Step = ({ handle, request }) => runs.startWaiting(handle, request);
const cancel: Step = ({ handle }) => runs.end(handle, 'cancel');
const ending: Step = ({ handle }) => handle.result().catch(() => undefined);

function redelivery(...args: unknown[]): Step {
  return ({ handle }) => runs.redeliver(handle, ...args);
}

const recovery: Step = async ({ request, handle }) => {
  const sealedToken = (await runs.createdToken(handle)) as SealedToken;
  await ending(await worker.start({}, request, { sealedToken, sinksTried: ['files'] }));
};

let worker: ScriptedWorker;

/** Starts a run, and returns the newest of its workflow id. */
async function run(script: Script, steps: Step[], change?: Partial<PrepareRequest>): Promise<WorkflowHandle> {
  const started = await worker.start(script, change);
  for (const step of steps) await step(started);
  return worker.deployment.handleOf(started.request);
}

async function contact(script: Script, change?: Partial<PrepareRequest>): Promise<WorkflowHandle> {
  const request = worker.deployment.newRequest(change);
  worker.setScript(request, script);
  await runs.startAndAwait(worker.deployment, request);
  return worker.deployment.handleOf(request);
}

async function schedule(script: Script, request = worker.deployment.newRequest()): Promise<WorkflowHandle> {
  worker.setScript(request, script);
  const scheduled = await startScheduled(worker.deployment.taskQueue, { request });
  await scheduled.result();
  return scheduled;
}

async function main(): Promise<void> {
  const named = process.argv.slice(2);
  await startSharedTemporal();
  try {
    worker = await startScriptedWorker();
    if (named.length === 0) rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const [name, makeRun] of Object.entries(SCENARIOS)) {
      if (named.length > 0 && !named.includes(name)) continue;
      const history = historyToJSON(await (await makeRun()).fetchHistory());
      const withoutHost = history.replaceAll(`${process.pid}@${os.hostname()}`, '1@host');
      writeFileSync(
        path.join(FOLDER, `${name}.json`),
        `${JSON.stringify(JSON.parse(withoutHost), null, 1)}\n`,
      );
      process.stdout.write(`recorded ${name}\n`);
    }
  } finally {
    await cleanUp();
    await stopSharedTemporal();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`recording failed: ${String(error)} ${String((error as Error).cause)}\n`);
  process.exitCode = 1;
});
