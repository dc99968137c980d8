import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import type { Fault } from '../../dev/atlas-emulator';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../dev/temporal/embedded-temporal';
import { UPDATES } from '../../src/contract/names';
import { sealedTokenSchema, type PrepareRequest } from '../../src/contract/schemas';
import type { TestAtlas } from '../support/atlas';
import { cleanUpLater, newFolder } from '../support/clean-up';
import {
  FILE_SINKS,
  type ClientExit,
  type Config,
  type Deployment,
  type Handle,
} from '../support/deployment';
import { endingOf, untilDeliveryFails, type Ending } from '../support/ending';
import { createdToken } from '../support/history';
import { deploy, startAtlas } from '../support/installation';
import { filesBelow, findSecrets, textPlace, type Place } from '../support/secrecy';
import { serveHttp } from '../support/servers';
import { untilStep } from '../support/updates';

/** How every access token of the emulator begins, so that those whose text no test sees are found as well. */
const ACCESS_TOKEN = Buffer.from('{"alg":"ES512","typ":"JWT"}').toString('base64url');
/** No secret: every run has it in its request, its memo or its failure, so that the search must find it. */
const MARKER = `marker-${randomBytes(8).toString('hex')}`;
const canary = (what: string) => `canary-${what}-${randomBytes(16).toString('hex')}`;

/** Secrets by their kind. */
const secrets = new Map<string, string>([['an access token', ACCESS_TOKEN]]);

/** Makes a secret that is searched for. */
function secret(what: string): string {
  const value = canary(what.replaceAll(' ', '-'));
  secrets.set(what, value);
  return value;
}

const places: Place[] = [];
const on = 'linkTokens';

let folder: string;
let temporal: EmbeddedTemporal;
let atlas: TestAtlas;
let main: Deployment;
/** Uses an API key, and gives up soon. */
let hasty: Deployment;
const deployments: Deployment[] = [];
const handles: Handle[] = [];

async function deployHere(
  config: Config = {},
  env: Record<string, string> = {},
  credential = 'serviceAccount' as 'serviceAccount' | 'apiKey',
) {
  const deployment = await deploy({
    atlas,
    credential,
    temporal,
    config: { log: { level: 'trace' }, ...config },
    env: { TMPDIR: path.join(folder, 'tmp'), ...env },
  });
  deployments.push(deployment);
  const { keys } = JSON.parse(readFileSync(deployment.keysFile, 'utf8')) as { keys: { k: string }[] };
  keys.forEach(({ k }) => secrets.set(`sealing key ${deployments.length}`, k));
  return deployment;
}

async function startMarked(deployment: Deployment, more: Partial<PrepareRequest> = {}): Promise<Handle> {
  const handle = await deployment.start(deployment.newRequest({ changeReference: MARKER, ...more }));
  handles.push(handle);
  return handle;
}

/** Notes all that a caller sees of an error. */
function note(what: string, error: unknown): void {
  places.push(textPlace(what, inspect(error, { showHidden: true, depth: 8 })));
}

async function expectEnding(deployment: Deployment, type: Ending['type'], ...faults: Fault[]) {
  atlas.clearFaults();
  atlas.faults(faults);
  const handle = await startMarked(deployment);
  const result: unknown = await handle.result().catch((error: unknown) => error);
  note(`the result of a run that ends with ${type}`, result);
  expect(await endingOf(handle)).toMatchObject({ type });
}

/** Executes an Update, and notes all that its caller sees. */
async function update(handle: Handle, name: string, input: unknown): Promise<string> {
  const outcome: unknown = await handle
    .executeUpdate(name, { args: [input] })
    .catch((error: unknown) => error);
  note(`the outcome of the Update ${name}`, outcome);
  return inspect(outcome, { depth: 4 });
}

async function client(deployment: Deployment, ...args: string[]): Promise<ClientExit> {
  const exit = await deployment.runClient(...args);
  places.push(textPlace(`the output of ${args.join(' ')}`, exit.stdout + exit.stderr));
  return exit;
}

function optionsOf({ workflowId }: Handle): string[] {
  const [, orgId = '', sourceOrgId = ''] = workflowId.split('/');
  return ['--org', orgId, '--source-org', sourceOrgId];
}

/** A receiver of webhooks that rejects every token and repeats it, as a careless one does. */
async function startEchoingReceiver(): Promise<string> {
  const server = await serveHttp(({ text }, response) => {
    response.writeHead(400, { 'x-echo': 'yes' }).end(text);
  });
  cleanUpLater(() => server.close());
  return `${server.url}/${secret('the path of a webhook')}`;
}

beforeAll(async () => {
  folder = newFolder();
  mkdirSync(path.join(folder, 'tmp'));
  temporal = await startEmbeddedTemporal({
    ui: true,
    databaseFile: path.join(folder, 'temporal.db'),
    logFile: path.join(folder, 'temporal.log'),
  });
  cleanUpLater(() => temporal.stop());
  atlas = await startAtlas();
  const { clientId, clientSecret, privateKey } = atlas.account;
  secrets.set('the client secret', clientSecret);
  secrets.set('the private key', privateKey);
  secrets.set('the Basic header', Buffer.from(`${clientId}:${clientSecret}`).toString('base64'));

  const signingKey = randomBytes(32).toString('base64');
  secrets.set('the signing secret', signingKey);
  main = await deployHere(
    {
      sinks: {
        ...FILE_SINKS,
        missing: { type: 'file', directory: 'missing' },
        echoes: {
          type: 'webhook',
          url: await startEchoingReceiver(),
          allowHttp: true,
          signingSecrets: [{ env: 'SIGNING_SECRET' }],
        },
      },
    },
    { SIGNING_SECRET: `whsec_${signingKey}` },
  );
  await main.startWorker();
  // Long enough for the first attempt to start on a busy machine.
  const create = { initialIntervalMs: 20, maximumIntervalMs: 5000, giveUpAfterMs: 15_000 };
  const sinks = { ...FILE_SINKS, missing: { type: 'file', directory: 'missing' } };
  hasty = await deployHere({ retries: { create }, sinks }, {}, 'apiKey');
  await hasty.startWorker();
});

describe('every kind of ending', () => {
  it('delivered, also after failures that left a token behind', async () => {
    await expectEnding(main, 'delivered');
    await expectEnding(
      main,
      'delivered',
      { on, status: 500, afterCreating: true },
      { on, truncate: true },
      { on, reset: 'mid-body' },
    );
  });

  it('delivered, and rejected, as an API key', async () => {
    await expectEnding(hasty, 'delivered');
    await expectEnding(hasty, 'AtlasRequestRejected', { on, status: 401 });
  });

  it.each<[what: string, status: number, body: (token: string) => Fault['body'], type: Ending['type']]>([
    ['a misnamed token', 201, (token) => ({ link_token: token }), 'AtlasResponseInvalid'],
    ['a token that is cut off', 201, (token) => `{"linkToken":"${token}`, 'AtlasResponseInvalid'],
    ['a nested token', 200, (token) => [{ linkToken: token }], 'AtlasResponseInvalid'],
    ['a token in a refusal', 409, (token) => ({ content: { linkToken: token } }), 'AtlasRequestRejected'],
  ])('a response with %s', async (what, status, body, type) => {
    await expectEnding(main, type, { on, status, body: body(secret(what)) });
  });

  it('an access token that Atlas does not know', async () => {
    atlas.expire('accessTokens');
    const body = { access_token: secret('an unknown access token'), expires_in: 3600, token_type: 'Bearer' };
    await expectEnding(main, 'AtlasRequestRejected', { on: 'oauth', status: 200, body });
  });

  it('a client secret that Atlas rejects', async () => {
    const deployment = await deployHere({}, { MONGODB_ATLAS_CLIENT_SECRET: secret('a wrong client secret') });
    await deployment.startWorker();
    await expectEnding(deployment, 'AtlasRequestRejected');
  });

  it('AtlasUnavailable', async () => {
    await expectEnding(hasty, 'AtlasUnavailable', { on, reset: 'mid-body', times: 1000 });
    atlas.clearFaults();
  });

  it('InvalidRequest', async () => {
    const handle = await startMarked(main, { sink: 'nowhere' });
    note('an invalid request', await handle.result().catch((error: unknown) => error));
    expect(await endingOf(handle)).toMatchObject({ type: 'InvalidRequest' });
  });

  it('none: the worker is killed during a delivery', async () => {
    const handle = await startMarked(hasty, { sink: 'missing' });
    await untilDeliveryFails(handle);
    const [worker] = hasty.workers;
    noteCommandLine(Number(worker?.pid));
    await worker?.kill();
    await handle.terminate();
  });
});

describe('every failure of a delivery', () => {
  it('in Updates, in the commands, and when the run is cancelled', async () => {
    const handle = await startMarked(main, { sink: 'echoes' });
    await untilStep(handle, 'undelivered');
    expect(await update(handle, UPDATES.redeliver, {})).toContain('SinkRejected');
    expect(await update(handle, UPDATES.redeliver, { sink: 'rejects' })).toContain('SinkRejected');
    expect(await update(handle, UPDATES.redeliver, { sink: 'missing' })).toContain('SinkUnavailable');
    expect(await update(handle, UPDATES.redeliver, { sink: 'nowhere' })).toContain('SinkUnavailable');
    expect(await update(handle, UPDATES.redeliver, { sink: 5 })).toContain('InvalidRequest');
    expect(await update(handle, UPDATES.awaitDelivery, {})).toContain('DifferentRequest');

    const target = optionsOf(handle);
    expect(await client(main, 'redeliver', ...target)).toMatchObject({ code: 5 });
    expect(await client(main, '--json', 'watch', ...target)).toMatchObject({ code: 5 });
    await noteRun(handle);
    await client(main, 'cancel', ...target);
    expect(await endingOf(handle)).toMatchObject({ type: 'Cancelled' });
    note('a cancelled run', await handle.result().catch((error: unknown) => error));
    expect(await client(main, 'watch', ...target)).toMatchObject({ code: 7 });
  });

  it('SealedTokenUnreadable: the token of another run', async () => {
    const creator = await startMarked(main, { sink: 'rejects' });
    await untilStep(creator, 'undelivered');
    const sealedToken = sealedTokenSchema.parse(await createdToken(creator));
    const thief = await main.start(main.newRequest(), { sealedToken, sinksTried: [] });
    handles.push(thief);
    await untilStep(thief, 'undelivered');
    expect(await update(thief, UPDATES.redeliver, {})).toContain('SealedTokenUnreadable');
    await noteRun(thief);
    expect(await client(main, '--json', 'redeliver', ...optionsOf(creator), '--sink', 'files')).toMatchObject(
      {
        code: 0,
      },
    );
  });
});

describe('a worker that does not start', () => {
  it.each<[what: string, config: Config, env: () => Record<string, string>]>([
    [
      'a malformed client secret',
      {},
      () => ({ MONGODB_ATLAS_CLIENT_SECRET: `${secret('a malformed secret')} \u{1f511}` }),
    ],
    [
      'malformed sealing keys',
      { sealing: {} },
      () => ({ LIVE_MIGRATION_PREP_SEALING_KEYS: `{"keys": [{"k": "${secret('a malformed key')}"}]` }),
    ],
    [
      'a malformed signing secret',
      {
        sinks: {
          hook: { type: 'webhook', url: 'https://example.com', signingSecrets: [{ env: 'SIGNING_SECRET' }] },
        },
      },
      () => ({ SIGNING_SECRET: secret('a malformed signing secret') }),
    ],
  ])('because of %s', async (what, config, env) => {
    const deployment = await deployHere(config, env());
    const worker = deployment.spawnWorker();
    expect(await worker.exited).toMatchObject({ code: 1 });
    places.push(textPlace(`the start with ${what}`, worker.output()));
    expect(worker.output()).toContain('live-migration-prep-worker:');
  });
});

function noteCommandLine(pid: number): void {
  const file = `/proc/${pid}/cmdline`;
  try {
    places.push({ name: file, content: readFileSync(file) });
  } catch {
    // It has ended, or this is not Linux.
  }
}

/** Notes what Temporal shows of a run: description, memo, status and current details. */
async function noteRun(handle: Handle): Promise<void> {
  const { raw, memo } = await handle.describe();
  places.push(textPlace('a description', JSON.stringify(raw)));
  places.push(textPlace('a memo', JSON.stringify(memo)));
  places.push(textPlace('a status', JSON.stringify(await handle.query('status'))));
  places.push(
    textPlace('current details', JSON.stringify(await handle.query('__temporal_workflow_metadata'))),
  );
}

async function noteHistories(): Promise<void> {
  for await (const { workflowId, runId } of temporal.client.workflow.list()) {
    const handle = temporal.client.workflow.getHandle(workflowId, runId);
    places.push(textPlace('a history', JSON.stringify((await handle.fetchHistory()).events)));
    const base = `${temporal.uiUrl}/api/v1/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
    for (const view of ['', '/history']) {
      const response = await fetch(`${base}${view}?execution.runId=${runId}`);
      expect(response.status).toBe(200);
      places.push(textPlace("the UI's API", await response.text()));
    }
  }
}

describe('secrets are in their places only', () => {
  const inPlaces = (name: RegExp) => places.filter((place) => name.test(place.name));
  const found = (name: RegExp, what: string) =>
    findSecrets(inPlaces(name), new Map([['it', what]])).length > 0;

  beforeAll(async () => {
    const served = await Promise.all(handles.map((handle) => handle.describe()));
    const queried = handles.filter((_handle, i) => served[i]?.taskQueue === main.taskQueue);
    for (const handle of queried) await noteRun(handle);
    // The worker is stopped during this delivery.
    await untilDeliveryFails(await startMarked(main, { sink: 'missing' }));
    for (const { workers } of deployments) for (const { pid } of workers) noteCommandLine(pid);
    await Promise.all(deployments.flatMap(({ workers }) => workers.map((worker) => worker.stop())));
    atlas
      .createdTokens()
      .forEach(({ linkToken }, index) => secrets.set(`link-token ${index + 1}`, linkToken));
    await noteHistories();
    places.push(...filesBelow(folder));
    for (const { folder: own, configFile, keysFile, tokensFolder } of deployments) {
      // The path of the webhook is in the configuration, where it belongs.
      places.push(...filesBelow(own, [configFile, keysFile, tokensFolder]));
    }
  });

  it.each<[where: RegExp, what: string | (() => string)]>([
    [/^a history$/, MARKER],
    [/^the UI's API$/, MARKER],
    [/temporal\.db/, MARKER],
    [/^a memo$/, 'undelivered'],
    [/^a status$/, 'SinkRejected'],
    [/^current details$/, '**undelivered**'],
    [/^a description$/, 'prepareLiveMigration'],
    [/^the result of a run/, 'AtlasResponseInvalid'],
    [/^the outcome of the Update redeliver$/, 'SealedTokenUnreadable'],
    [/^the outcome of the Update awaitDelivery$/, 'DifferentRequest'],
    [/^the output of redeliver/, 'SinkRejected'],
    [/^a cancelled run$/, 'sinksTried'],
    [/^the start with/, 'SIGNING_SECRET'],
    [/worker-1\.log$/, '"level":"trace"'],
    [/worker-1\.log$/, () => atlas.account.orgId],
  ])('a search of %s finds what is there', (where, what) => {
    expect(found(where, typeof what === 'string' ? what : what())).toBe(true);
  });

  const testOnLinux = process.platform === 'linux' ? it : it.skip;
  testOnLinux('a search of the command lines finds what is there', () => {
    expect(found(/^\/proc\//, 'live-migration-prep.yaml')).toBe(true);
  });

  it('a leak that is planted is found, as it is and in base64', () => {
    const token = secrets.get('link-token 1') ?? '';
    const planted = [
      textPlace('a log', `{"msg":"created ${token}"}`),
      textPlace(
        'a payload',
        JSON.stringify({ data: Buffer.from(`{"linkToken":"${token}"}`).toString('base64') }),
      ),
    ];
    expect(findSecrets(planted, secrets)).toEqual(['link-token 1 in a log', 'link-token 1 in a payload']);
  });

  it('a delivered token is in the file of the sink', () => {
    const delivered = deployments.flatMap((deployment) => deployment.tokens());
    const created = new Set(atlas.createdTokens().map(({ linkToken }) => linkToken));
    expect(delivered.length).toBeGreaterThan(3);
    expect(delivered.every((token) => created.has(token))).toBe(true);
  });

  it('no secret is anywhere else', () => {
    const hits = findSecrets(places, secrets);
    process.stdout.write(`secrecy: ${secrets.size} secrets, ${places.length} places, ${hits.length} hits\n`);
    expect(hits).toEqual([]);
  });
});
