import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import type { Fault } from '../../dev/atlas-emulator';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../dev/embedded-temporal';
import type { FailureType } from '../../src/contract/names';
import type { TestAtlas } from '../support/atlas';
import { cleanUpLater } from '../support/clean-up';
import type { ClientExit, Config, Deployment, Handle } from '../support/deployment';
import { endingOf, pendingActivity } from '../support/ending';
import { eventually } from '../support/eventually';
import { filesBelow, findSecrets, textPlace, type Place } from '../support/secrecy';
import { deploy, startAtlas } from '../support/setting';

jest.setTimeout(120_000);

/** How every access token of the emulator begins, so that those whose text no test sees are found as well. */
const ACCESS_TOKEN = Buffer.from('{"alg":"ES512","typ":"JWT"}').toString('base64url');
/** No secret: kept in history on purpose. */
const MARKER = `marker-${randomBytes(8).toString('hex')}`;
/** Of tokens that no sink gets. */
const canary = (what: string) => `canary-${what}-${randomBytes(16).toString('hex')}`;
const LOST_TOKENS = new Map(
  ['misnamed', 'cut-off', 'nested', 'enveloped'].map((what) => [`a ${what} link-token`, canary(what)]),
);
const BOGUS_BEARER = canary('bearer');

const TRACE: Config = {
  log: { level: 'trace' },
  retries: {
    create: { initialIntervalMs: 20, maximumIntervalMs: 100 },
    deliver: { initialIntervalMs: 20, maximumIntervalMs: 100, giveUpAfterMs: 1500 },
  },
};

const on = 'linkTokens';
const lost = (what: string) => LOST_TOKENS.get(`a ${what} link-token`) ?? '';

let folder: string;
let temporal: EmbeddedTemporal;
let atlas: TestAtlas;
const deployments: Deployment[] = [];
const secrets = new Map<string, string>([
  ...LOST_TOKENS,
  ['a bearer', ACCESS_TOKEN],
  ['a bogus bearer', BOGUS_BEARER],
]);
const places: Place[] = [];
const startProblems: string[] = [];

async function deployHere(
  config: Config = {},
  env: Record<string, string> = {},
  credential = 'serviceAccount' as 'serviceAccount' | 'apiKey',
) {
  const deployment = await deploy({
    atlas,
    credential,
    temporal,
    config: { ...TRACE, ...config },
    env: { TMPDIR: path.join(folder, 'tmp'), ...env },
  });
  deployments.push(deployment);
  const { keys } = JSON.parse(readFileSync(deployment.keysFile, 'utf8')) as { keys: { k: string }[] };
  keys.forEach(({ k }) => secrets.set(`sealing key ${deployments.length}`, k));
  return deployment;
}

function startMarked(deployment: Deployment): Promise<Handle> {
  return deployment.start(deployment.newRequest({ changeReference: MARKER }));
}

async function expectEnding(deployment: Deployment, type: FailureType | 'delivered', ...faults: Fault[]) {
  atlas.clearFaults();
  atlas.faults(faults);
  const handle = await startMarked(deployment);
  const error: unknown = await handle.result().then(
    () => null,
    (error: unknown) => error,
  );
  places.push(textPlace(`the error of ${type}`, inspect(error, { showHidden: true, depth: 6 })));
  expect(await endingOf(handle)).toMatchObject({ type });
  return handle;
}

async function client(deployment: Deployment, ...args: string[]): Promise<ClientExit> {
  const exit = await deployment.runClient(...args);
  places.push(textPlace(`the output of ${args.join(' ')}`, exit.stdout + exit.stderr));
  return exit;
}

function noteCommandLines(): void {
  for (const worker of deployments.flatMap(({ workers }) => workers)) {
    const file = `/proc/${worker.pid}/cmdline`;
    try {
      places.push({ name: file, content: readFileSync(file) });
    } catch {
      // It has ended, or this is no Linux.
    }
  }
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-secrecy-'));
  cleanUpLater(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, 'tmp'));
  const databaseFile = path.join(folder, 'temporal.db');
  temporal = await startEmbeddedTemporal({
    ui: true,
    databaseFile,
    logFile: path.join(folder, 'temporal.log'),
  });
  cleanUpLater(() => temporal.stop());
  atlas = await startAtlas();
  secrets.set('the client secret', atlas.account.clientSecret);
  secrets.set('the private key', atlas.account.privateKey);
  const { clientId, clientSecret } = atlas.account;
  secrets.set('the Basic header', Buffer.from(`${clientId}:${clientSecret}`).toString('base64'));
});

describe('every ending is had', () => {
  let main: Deployment;
  beforeAll(async () => {
    main = await deployHere();
    await main.startWorker();
  });

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

  it('delivered as an API key', async () => {
    const deployment = await deployHere({}, {}, 'apiKey');
    await deployment.startWorker();
    await expectEnding(deployment, 'delivered');
    await expectEnding(deployment, 'AtlasRequestRejected', { on, status: 401 });
  });

  it('answers that hold a token where none belongs', async () => {
    await expectEnding(main, 'AtlasResponseInvalid', {
      on,
      status: 201,
      body: { link_token: lost('misnamed') },
    });
    await expectEnding(main, 'AtlasResponseInvalid', {
      on,
      status: 201,
      body: `{"linkToken":"${lost('cut-off')}`,
    });
    await expectEnding(main, 'AtlasResponseInvalid', {
      on,
      status: 200,
      body: [{ linkToken: lost('nested') }],
    });
    await expectEnding(main, 'AtlasRequestRejected', {
      on,
      status: 409,
      body: { content: { linkToken: lost('enveloped') } },
    });
  });

  it('an access token that Atlas does not know', async () => {
    atlas.expire('accessTokens');
    const answer = { access_token: BOGUS_BEARER, expires_in: 3600, token_type: 'Bearer' };
    await expectEnding(main, 'AtlasRequestRejected', { on: 'oauth', status: 200, body: answer });
  });

  it('a client secret that Atlas does not take', async () => {
    const wrong = canary('wrong-secret');
    secrets.set('a wrong client secret', wrong);
    const deployment = await deployHere({}, { MONGODB_ATLAS_CLIENT_SECRET: wrong });
    await deployment.startWorker();
    await expectEnding(deployment, 'AtlasRequestRejected');
  });

  it('AtlasUnavailable, InvalidRequest', async () => {
    const create = { initialIntervalMs: 20, maximumIntervalMs: 100, giveUpAfterMs: 1000 };
    const deployment = await deployHere({ retries: { create } });
    await deployment.startWorker();
    await expectEnding(deployment, 'AtlasUnavailable', { on, reset: 'mid-body', times: 1000 });
    atlas.clearFaults();
    const handle = await deployment.start(deployment.newRequest({ sink: 'nowhere' }));
    expect(await endingOf(handle)).toMatchObject({ type: 'InvalidRequest' });
  });

  it('SinkUnavailable, SinkRejected, SealedTokenUnreadable, redelivered', async () => {
    const deployment = await deployHere();
    const worker = await deployment.startWorker();
    rmdirSync(deployment.tokensFolder);
    const unavailable = await expectEnding(deployment, 'SinkUnavailable');
    writeFileSync(deployment.tokensFolder, '');
    await expectEnding(deployment, 'SinkRejected');
    rmSync(deployment.tokensFolder);
    mkdirSync(deployment.tokensFolder);

    noteCommandLines();
    await worker.stop();
    const keys = readFileSync(deployment.keysFile);
    rmSync(deployment.keysFile);
    await client(deployment, 'keys', '--file', deployment.keysFile);
    await deployment.startWorker();
    const target = ['--workflow-id', unavailable.workflowId];
    const unreadable = await client(deployment, 'redeliver', ...target);
    expect(unreadable.stderr).toContain('SealedTokenUnreadable');

    await deployment.workers.at(-1)?.stop();
    writeFileSync(deployment.keysFile, keys);
    await deployment.startWorker();
    expect(await client(deployment, '--json', 'redeliver', ...target)).toMatchObject({ code: 0 });
  });

  it('cancelled with a token kept, and a worker killed', async () => {
    atlas.clearFaults();
    const deployment = await deployHere();
    const worker = await deployment.startWorker();
    rmdirSync(deployment.tokensFolder);
    const handle = await startMarked(deployment);
    await eventually('an unavailable sink', async () => {
      return (await pendingActivity(temporal.client, handle.workflowId))?.lastFailure?.includes('ENOENT');
    });
    await client(deployment, 'cancel', '--workflow-id', handle.workflowId);
    await handle.result().catch(() => undefined);
    mkdirSync(deployment.tokensFolder);
    noteCommandLines();
    await worker.kill();
  });

  it('a worker that does not start: malformed secrets', async () => {
    const malformed = {
      client: `${canary('malformed')} \u{1f511}`,
      keys: `{"keys": [{"k": "${canary('malformed-key')}"}]`,
    };
    secrets.set('a malformed client secret', malformed.client);
    secrets.set('malformed sealing keys', malformed.keys.slice(18));
    for (const [config, env] of [
      [{}, { MONGODB_ATLAS_CLIENT_SECRET: malformed.client }],
      [{ sealing: {} }, { LIVE_MIGRATION_PREP_SEALING_KEYS: malformed.keys }],
    ] as const) {
      const deployment = await deployHere(config, env);
      const worker = deployment.spawnWorker();
      expect(await worker.exited).toMatchObject({ code: 1 });
      startProblems.push(worker.output());
    }
    expect(startProblems.every((problem) => problem.includes('live-migration-prep-worker:'))).toBe(true);
  });
});

describe('and the secrets are in their places only', () => {
  const controls = new Map([['the marker', MARKER]]);
  let history: Place[];
  let ui: Place[];
  let database: Place[];

  beforeAll(async () => {
    noteCommandLines();
    await Promise.all(deployments.flatMap(({ workers }) => workers.map((worker) => worker.stop())));
    atlas
      .createdTokens()
      .forEach(({ linkToken }, index) => secrets.set(`link-token ${index + 1}`, linkToken));
    ({ history, ui } = await collectFromTemporal());
    database = filesBelow(folder);
    places.push(...history, ...ui, ...database);
    for (const { folder: own, keysFile, tokensFolder } of deployments) {
      places.push(...filesBelow(own, [keysFile, tokensFolder]));
    }
  });

  async function collectFromTemporal() {
    const history: Place[] = [];
    const ui: Place[] = [];
    for await (const { workflowId, runId } of temporal.client.workflow.list()) {
      const name = `${workflowId} ${runId}`;
      const { events } = await temporal.client.workflow.getHandle(workflowId, runId).fetchHistory();
      history.push(textPlace(`the history of ${name}`, JSON.stringify(events)));
      const base = `${temporal.uiUrl}/api/v1/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
      for (const view of ['', '/history']) {
        const response = await fetch(`${base}${view}?execution.runId=${runId}`);
        expect(response.status).toBe(200);
        ui.push(textPlace(`the UI's API on ${name}${view}`, await response.text()));
      }
    }
    return { history, ui };
  }

  it('a search finds what is there: in history, the database, the API of the UI, command lines and logs', () => {
    const found = (where: readonly Place[], what: string) =>
      findSecrets(where, new Map([['it', what]])).length > 0;
    expect({
      history: found(history, MARKER),
      ui: found(ui, MARKER),
      database: found(database, MARKER),
      commandLines: found(
        places.filter(({ name }) => name.startsWith('/proc/')),
        'live-migration-prep.yaml',
      ),
      logs: found(
        places.filter(({ name }) => name.endsWith('.log')),
        atlas.account.orgId,
      ),
      trace: found(
        places.filter(({ name }) => name.endsWith('.log')),
        '"level":"trace"',
      ),
      errors: found(
        places.filter(({ name }) => name.startsWith('the error of')),
        'AtlasResponseInvalid',
      ),
    }).toEqual({
      history: true,
      ui: true,
      database: true,
      commandLines: true,
      logs: true,
      trace: true,
      errors: true,
    });
    expect(findSecrets(history, controls)).not.toHaveLength(0);
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
    const leaks = findSecrets(planted, secrets);
    expect(leaks).toEqual(['link-token 1 in a log', 'link-token 1 in a payload']);
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
