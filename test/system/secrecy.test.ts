import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import type { Fault } from '../../dev/atlas-emulator';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../dev/temporal/embedded-temporal';
import { freePort } from '../../dev/temporal/free-port';
import { UPDATES } from '../../src/contract/names';
import { sealedTokenSchema } from '../../src/contract/schemas';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { deploy, type Handle } from '../support/installation';
import { startOwnOrganizations, type CredentialType, type OwnOrganizations } from '../support/organizations';
import type { ClientExit } from '../support/run-command';
import { createdToken, endingOf, untilDeliveryFails, untilStep, type Ending } from '../support/runs';
import { filesBelow, findSecrets, textPlace, type Place } from '../support/secrecy';
import { serveHttp } from '../support/servers';

/** The prefix of the emulator's access tokens finds those that no test sees. */
const ACCESS_TOKEN = Buffer.from('{"alg":"ES512","typ":"JWT"}').toString('base64url');
/** No secret: every run has it in its request, so that the search must find it. */
const MARKER = `marker-${randomBytes(8).toString('hex')}`;

/** Secrets by their kind. */
const secrets = new Map<string, string>([['an access token', ACCESS_TOKEN]]);

/** Makes a secret that is searched for. */
function secret(what: string): string {
  const value = `canary-${what.replaceAll(' ', '-')}-${randomBytes(16).toString('hex')}`;
  secrets.set(what, value);
  return value;
}

const places: Place[] = [];
const look = (what: string, text: string) => void places.push(textPlace(what, text));
const on = 'linkTokens';

let folder: string;
let temporal: EmbeddedTemporal;
let own: OwnOrganizations;
let metricsPort: number;
const handles: Handle[] = [];

/** One installation, whose worker logs all it can, on a Temporal server with a database and the UI. */
beforeAll(async () => {
  folder = newFolder();
  mkdirSync(path.join(folder, 'tmp'));
  temporal = await startEmbeddedTemporal({
    ui: true,
    databaseFile: path.join(folder, 'temporal.db'),
    logFile: path.join(folder, 'temporal.log'),
  });
  cleanUpLater(() => temporal.stop());
  const signingKey = randomBytes(32).toString('base64');
  // It rejects every token and repeats it, as a careless receiver does.
  const receiver = await serveHttp(({ text }, response) => void response.writeHead(400).end(text));
  const echoes = {
    type: 'webhook',
    url: `${receiver.url}/${secret('the path of a webhook')}`,
    allowHttp: true,
    signingSecrets: [{ env: 'SIGNING_SECRET' }],
  };
  const sinks = { missing: { type: 'file', directory: 'missing' }, echoes };
  const env = {
    SIGNING_SECRET: `whsec_${signingKey}`,
    TEMPORAL_API_KEY: secret('the API key of Temporal'),
    TEMPORAL_TLS: 'false',
    TMPDIR: path.join(folder, 'tmp'),
  };
  metricsPort = await freePort();
  const config = { log: { level: 'trace' }, metrics: { port: metricsPort }, sinks };
  own = await startOwnOrganizations({ config, env, temporal });

  secrets.set('the signing secret', signingKey);
  const { keys } = JSON.parse(readFileSync(own.deployment.keysFile, 'utf8')) as { keys: { k: string }[] };
  keys.forEach(({ k }) => secrets.set('the sealing key', k));
  for (const [index, account] of own.accounts.entries()) {
    const { clientId, clientSecret, privateKey } = account;
    secrets.set(`client secret ${index}`, clientSecret);
    secrets.set(`private key ${index}`, privateKey);
    secrets.set(`Basic header ${index}`, Buffer.from(`${clientId}:${clientSecret}`).toString('base64'));
  }
});

/** Starts a run that meets these faults. */
async function start(sink: string, faults: Fault[] = [], credential?: CredentialType): Promise<Handle> {
  const request = own.newRequest({ changeReference: MARKER, sink }, credential);
  own.setFaults(request, ...faults);
  const handle = await own.deployment.start(request);
  handles.push(handle);
  return handle;
}

/** Looks at all that a caller sees of an outcome. */
async function lookAtOutcome(what: string, outcome: Promise<unknown>): Promise<string> {
  const seen = inspect(await outcome.catch((error: unknown) => error), { showHidden: true, depth: 8 });
  look(what, seen);
  return seen;
}

const update = (handle: Handle, name: string, input: unknown) =>
  lookAtOutcome(`the outcome of the Update ${name}`, handle.executeUpdate(name, { args: [input] }));

/** Runs a command for one run. */
async function client(handle: Handle, ...args: string[]): Promise<ClientExit> {
  const exit = await own.deployment.runClient(...args, '--workflow-id', handle.workflowId);
  look(`the output of ${args.join(' ')}`, exit.stdout + exit.stderr);
  return exit;
}

/** Looks at what Temporal shows of a run without its history. */
async function lookAtRun(handle: Handle): Promise<void> {
  const { raw, memo } = await handle.describe();
  look('a description', JSON.stringify(raw));
  look('a memo', JSON.stringify(memo));
  look('a status', JSON.stringify(await handle.query('status')));
  look('current details', JSON.stringify(await handle.query('__temporal_workflow_metadata')));
}

async function lookAtHistories(): Promise<void> {
  for await (const { workflowId, runId } of temporal.client.workflow.list()) {
    const handle = temporal.client.workflow.getHandle(workflowId, runId);
    look('a history', JSON.stringify((await handle.fetchHistory()).events));
    const base = `${temporal.uiUrl}/api/v1/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
    for (const view of ['', '/history']) {
      const response = await fetch(`${base}${view}?execution.runId=${runId}`);
      expect(response.status).toBe(200);
      look("the UI's API", await response.text());
    }
  }
}

/** Every kind of ending, with what Atlas may say of a token where no token should be. */
async function endRuns(): Promise<void> {
  const unknown = { access_token: secret('an unknown access token'), expires_in: 3600, token_type: 'Bearer' };
  const late = { 'Retry-After': '7200' };
  const misnamed = { link_token: secret('a misnamed token') };
  const cut = `{"linkToken":"${secret('a cut token')}`;
  const refusal = { linkToken: secret('a refusal') };
  const rows: [type: Ending['type'], faults: Fault[], credential?: CredentialType][] = [
    ['delivered', [{ on, reset: 'mid-body' }]],
    ['delivered', [], 'apiKey'],
    ['AtlasUnavailable', [{ on, status: 503, headers: late, afterCreating: true }]],
    ['AtlasResponseInvalid', [{ on, status: 201, body: misnamed }]],
    ['AtlasResponseInvalid', [{ on, status: 201, body: cut }]],
    ['AtlasRequestRejected', [{ on, status: 409, body: refusal }]],
    ['AtlasRequestRejected', [{ on: 'oauth', status: 200, body: unknown }]],
    ['AtlasRequestRejected', [{ on, status: 401 }], 'apiKey'],
  ];
  await Promise.all(
    rows.map(async ([type, faults, credential]) => {
      const handle = await start('files', faults, credential);
      await lookAtOutcome(`the result of a run that ends with ${type}`, handle.result());
      expect(await endingOf(handle)).toMatchObject({ type });
    }),
  );
}

/** Every failure of a delivery, in Updates, in commands, and when the run is cancelled. */
async function failDeliveries(): Promise<void> {
  const handle = await start('echoes');
  await untilStep(handle, 'undelivered');
  expect(await update(handle, UPDATES.redeliver, {})).toContain('SinkRejected');
  expect(await update(handle, UPDATES.redeliver, { sink: 'missing' })).toContain('SinkUnavailable');
  expect(await update(handle, UPDATES.redeliver, { sink: 5 })).toContain('InvalidRequest');
  expect(await update(handle, UPDATES.awaitDelivery, {})).toContain('DifferentRequest');
  expect(await client(handle, 'redeliver')).toMatchObject({ code: 5 });
  expect(await client(handle, '--json', 'watch')).toMatchObject({ code: 5 });
  await lookAtRun(handle);
  await client(handle, 'cancel');
  expect(await lookAtOutcome('a cancelled run', handle.result())).toContain('sinksTried');
  expect(await client(handle, 'watch')).toMatchObject({ code: 7 });

  // The token of another run cannot be opened.
  const creator = await start('rejects');
  await untilStep(creator, 'undelivered');
  const sealedToken = sealedTokenSchema.parse(await createdToken(creator));
  const thief = await own.deployment.start(own.newRequest(), { sealedToken, sinksTried: [] });
  await untilStep(thief, 'undelivered');
  expect(await update(thief, UPDATES.redeliver, {})).toContain('SealedTokenUnreadable');
  await lookAtRun(thief);
  expect(await client(creator, '--json', 'redeliver', '--sink', 'files')).toMatchObject({ code: 0 });
}

/** A worker that does not start names every problem of its secrets. */
async function failToStart(): Promise<void> {
  const hook = { type: 'webhook', url: 'https://example.com', signingSecrets: [{ env: 'SIGNING_SECRET' }] };
  const deployment = await deploy({
    atlas: own.atlas,
    config: { sealing: {}, sinks: { hook } },
    env: {
      MONGODB_ATLAS_CLIENT_SECRET: `${secret('a malformed secret')} \u{1f511}`,
      LIVE_MIGRATION_PREP_SEALING_KEYS: `{"keys": [{"k": "${secret('a malformed key')}"}]`,
      SIGNING_SECRET: secret('a malformed signing secret'),
    },
  });
  const worker = deployment.spawnWorker();
  expect(await worker.exited).toMatchObject({ code: 1 });
  look('the output of a worker that does not start', worker.output());
}

describe('secrets are in their places only', () => {
  beforeAll(async () => {
    await Promise.all([endRuns(), failDeliveries(), failToStart()]);
    const { deployment, atlas } = own;
    for (const handle of handles) await lookAtRun(handle);
    const metrics = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    look('the metrics', await metrics.text());
    // The worker is stopped during this delivery.
    await untilDeliveryFails(await start('missing'));
    if (process.platform === 'linux') {
      const name = `/proc/${deployment.workers[0]?.pid}/cmdline`;
      places.push({ name: 'the command line', content: readFileSync(name) });
    }
    await Promise.all(deployment.workers.map((worker) => worker.stop()));
    const created = atlas.createdTokens();
    created.forEach(({ linkToken }, index) => secrets.set(`link-token ${index + 1}`, linkToken));
    await lookAtHistories();
    places.push(...filesBelow(folder));
    // The path of the webhook is in the configuration, where it belongs.
    const { configFile, keysFile, tokensFolder } = deployment;
    places.push(...filesBelow(deployment.folder, [configFile, keysFile, tokensFolder]));
  });

  it.each<[where: RegExp, what: string]>([
    [/^a history$/, MARKER],
    [/^the UI's API$/, MARKER],
    [/temporal\.db/, MARKER],
    [/^a memo$/, 'undelivered'],
    [/^a status$/, 'SinkRejected'],
    [/^current details$/, '**undelivered**'],
    [/^a description$/, 'prepareLiveMigration'],
    [/^the result of a run/, 'AtlasResponseInvalid'],
    [/^the outcome of the Update redeliver$/, 'SealedTokenUnreadable'],
    [/^the output of redeliver/, 'SinkRejected'],
    [/^the metrics$/, 'activity="deliverLinkToken"'],
    [/^a cancelled run$/, 'sinksTried'],
    [/^the output of a worker/, 'MONGODB_ATLAS_CLIENT_SECRET'],
    [/^the output of a worker/, 'LIVE_MIGRATION_PREP_SEALING_KEYS'],
    [/^the output of a worker/, 'SIGNING_SECRET'],
    [/worker-1\.log$/, '"level":"trace"'],
  ])('a search of %s finds %s, which is there', (where, what) => {
    const searched = places.filter(({ name }) => where.test(name));
    expect(findSecrets(searched, new Map([['it', what]]))).not.toEqual([]);
  });

  it('a leak that is planted is found, as it is and in base64', () => {
    const token = secrets.get('link-token 1') ?? '';
    const encoded = Buffer.from(`{"linkToken":"${token}"}`).toString('base64');
    const planted = [textPlace('a log', `created ${token}`), textPlace('a payload', `{"data":"${encoded}"}`)];
    expect(findSecrets(planted, secrets)).toEqual(['link-token 1 in a log', 'link-token 1 in a payload']);
  });

  it('no secret is anywhere else', () => {
    expect(own.deployment.tokens().length).toBeGreaterThanOrEqual(3);
    expect(findSecrets(places, secrets)).toEqual([]);
  });
});
