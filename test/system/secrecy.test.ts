import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import type { Fault } from '../../dev/atlas-emulator';
import { startDevServer } from '../../dev/temporal/dev-server';
import { freePort } from '../../dev/temporal/free-port';
import { awaitDeliveryUpdate, redeliverUpdate } from '../../src/contract/workflows';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { eventually } from '../support/eventually';
import { install, type Handle } from '../support/installation';
import {
  startOwnOrganizations,
  type CredentialType,
  type OwnOrganizations,
} from '../support/organizations';
import { endingOf, untilStep, type Ending } from '../support/runs';
import { filesBelow, findSecrets, textPlace, type Place } from '../support/secrecy';
import { serveHttp } from '../support/servers';

/** The prefix of the emulator's access tokens finds those that no test sees. */
const ACCESS_TOKEN = Buffer.from('{"alg":"ES512","typ":"JWT"}').toString('base64url');
/** Not a secret: every run has it in its request, so that the search must find it. */
const MARKER = `marker-${randomBytes(8).toString('hex')}`;

/** Secrets by their kind. */
const secrets = new Map<string, string>([['an access token', ACCESS_TOKEN]]);

/** Creates a secret that is searched for. */
function secret(what: string): string {
  const value = `canary-${what.replaceAll(' ', '-')}-${randomBytes(16).toString('hex')}`;
  secrets.set(what, value);
  return value;
}

const places: Place[] = [];
const look = (what: string, text: string) => void places.push(textPlace(what, text));
const on = 'linkTokens';

let own: OwnOrganizations;

/** Starts a run, and waits until it has met these faults. */
async function start(
  sink: string,
  faults: Fault[] = [],
  credential?: CredentialType,
): Promise<Handle> {
  const request = own.newRequest({ changeReference: MARKER, sink }, credential);
  return (await own.start(request, ...faults)).handle;
}

/** Every token embeds a second secret. */
function privateKeyIn(linkToken: string): string {
  const content = JSON.parse(Buffer.from(linkToken, 'base64').toString()) as object;
  return (content as { privateApiKey: string }).privateApiKey;
}

/** Looks at all that a caller sees of an outcome. */
async function lookAtOutcome(what: string, outcome: Promise<unknown>): Promise<string> {
  const seen = inspect(await outcome.catch((error: unknown) => error), {
    showHidden: true,
    depth: 8,
  });
  look(what, seen);
  return seen;
}

/** Looks at all that Temporal shows of a run. */
async function lookAtRun(handle: Handle): Promise<void> {
  const { raw, memo } = await handle.describe();
  look('a description', JSON.stringify(raw));
  look('a memo', JSON.stringify(memo));
  look('a status', JSON.stringify(await handle.query('status')));
  look('current details', JSON.stringify(await handle.query('__temporal_workflow_metadata')));
  look('a history', JSON.stringify(await handle.fetchHistory()));
}

/** Every kind of ending, with what Atlas may say of a token where no token should be. */
async function endRuns(): Promise<void> {
  const unknown = {
    access_token: secret('an unknown access token'),
    expires_in: 3600,
    token_type: 'Bearer',
  };
  const late = { 'Retry-After': '7200' };
  const misnamed = { link_token: secret('a misnamed token') };
  const cut = `{"linkToken":"${secret('a cut token')}`;
  const refusal = {
    linkToken: secret('a refusal'),
    detail: `one exists: ${secret('a quoted token')}`,
  };
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
      await lookAtRun(handle);
    }),
  );
}

/** Every failure of a delivery, in Updates, in commands, and when the run is cancelled. */
async function failDeliveries(): Promise<void> {
  const handle = await start('echoes');
  await untilStep(handle, 'undelivered');
  const rows = [
    [handle, redeliverUpdate.name, { sink: 'missing' }, 'SinkUnavailable'],
    [handle, redeliverUpdate.name, {}, 'SinkRejected'],
    [handle, redeliverUpdate.name, { sink: 5 }, 'InvalidRequest'],
    [handle, awaitDeliveryUpdate.name, {}, 'DifferentRequest'],
  ] as const;
  for (const [run, update, input, type] of rows) {
    const outcome = run.executeUpdate(update, { args: [input] });
    expect(await lookAtOutcome(`the outcome of the Update ${update}`, outcome)).toContain(type);
  }
  await lookAtRun(handle);
  for (const command of ['watch', 'redeliver', 'cancel']) {
    const args = ['--json', command, handle.workflowId];
    const { stdout, stderr } = await own.installation.runClient(...args);
    look(`the output of ${command}`, stdout + stderr);
  }
  await lookAtOutcome('a cancelled run', handle.result());
  await lookAtRun(handle);
}

/** A worker that does not start names every problem of its secrets. */
async function failToStart(): Promise<void> {
  const hook = {
    type: 'webhook',
    url: 'https://example.com',
    signingSecrets: [{ env: 'SIGNING_SECRET' }],
  };
  const installation = await install({
    atlas: own.atlas,
    config: { sealing: {}, sinks: { hook } },
    env: {
      MONGODB_ATLAS_CLIENT_SECRET: `${secret('a malformed secret')} \u{1f511}`,
      LIVE_MIGRATION_PREP_SEALING_KEYS: `{"keys": [{"k": "${secret('a malformed key')}"}]`,
      SIGNING_SECRET: secret('a malformed signing secret'),
    },
  });
  const worker = installation.spawnWorker();
  expect(await worker.exited).toMatchObject({ code: 1 });
  look('the output of a worker that does not start', worker.output());
}

/**
 * Starts a system whose worker logs all it can, on a Temporal server with a database. All its files
 * are in the folder, but for those of the installation.
 */
async function startTalkativeSystem(
  folder: string,
  metricsPort: number,
): Promise<OwnOrganizations> {
  const TMPDIR = path.join(folder, 'tmp');
  mkdirSync(TMPDIR);
  const files = {
    databaseFile: path.join(folder, 'temporal.db'),
    logFile: path.join(folder, 'temporal.log'),
  };
  const temporal = await startDevServer(files);
  cleanUpLater(() => temporal.stop());
  // It rejects every token and repeats it, as a careless receiver does.
  const receiver = await serveHttp(({ text }, response) => void response.writeHead(400).end(text));
  const echoes = {
    type: 'webhook',
    url: `${receiver.url}/${secret('the path of a webhook')}`,
    allowHttp: true,
    signingSecrets: [{ env: 'SIGNING_SECRET' }],
  };
  const sinks = { missing: { type: 'file', directory: 'missing' }, echoes };
  const signingKey = randomBytes(32).toString('base64');
  secrets.set('the signing secret', signingKey);
  const env = {
    SIGNING_SECRET: `whsec_${signingKey}`,
    TEMPORAL_API_KEY: secret('the API key of Temporal'),
    TEMPORAL_TLS: 'false',
    TMPDIR,
  };
  const config = { log: { level: 'trace' }, metrics: { port: metricsPort }, sinks };
  return startOwnOrganizations({ config, env, temporal });
}

/** Adds the secrets of the system that `secret` did not create. */
function addSecretsOf({ accounts, atlas, installation }: OwnOrganizations): void {
  const { keys } = JSON.parse(readFileSync(installation.keysFile, 'utf8')) as {
    keys: { k: string }[];
  };
  keys.forEach(({ k }) => secrets.set('the sealing key', k));
  for (const { orgId, clientId, clientSecret, privateKey } of [atlas.account, ...accounts]) {
    secrets.set(`client secret of ${orgId}`, clientSecret);
    secrets.set(`private key of ${orgId}`, privateKey);
    secrets.set(
      `Basic header of ${orgId}`,
      Buffer.from(`${clientId}:${clientSecret}`).toString('base64'),
    );
  }
}

beforeAll(async () => {
  const folder = newFolder();
  const metricsPort = await freePort();
  own = await startTalkativeSystem(folder, metricsPort);
  const { atlas, installation, worker } = own;
  addSecretsOf(own);

  await Promise.all([endRuns(), failDeliveries(), failToStart()]);
  const metrics = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  look('the metrics', await metrics.text());
  // The worker is stopped during this delivery.
  const { workflowId } = await start('missing');
  await eventually('a failed attempt', () =>
    worker.logged('Activity failed').some((line) => line['workflowId'] === workflowId),
  );
  if (process.platform === 'linux') {
    look('the command line of a worker', readFileSync(`/proc/${worker.pid}/cmdline`, 'utf8'));
  }
  await worker.stop();
  atlas.createdTokens().forEach(({ linkToken }, index) => {
    secrets.set(`link-token ${index + 1}`, linkToken);
    secrets.set(`private key of link-token ${index + 1}`, privateKeyIn(linkToken));
  });
  places.push(...filesBelow(folder));
  // The path of the webhook is in the configuration, where it belongs.
  const { configFile, keysFile, tokensFolder } = installation;
  places.push(...filesBelow(installation.folder, [configFile, keysFile, tokensFolder]));
});

it.each<[where: string, ...marks: string[]]>([
  ['a history', MARKER],
  ['temporal.db', MARKER],
  ['a memo', 'undelivered'],
  ['a status', 'SinkRejected', 'is gone'],
  ['current details', '**undelivered**'],
  ['a description', 'prepareLiveMigration'],
  ['the result of a run', 'AtlasResponseInvalid'],
  ['the outcome of the Update redeliver', 'SinkUnavailable'],
  ['the output of watch', 'SinkRejected'],
  ['the output of redeliver', 'SinkRejected'],
  ['the metrics', 'link_token_delivered_total'],
  ['a cancelled run', 'CancelledFailure'],
  ['a worker that does not start', 'CLIENT_SECRET', 'SEALING_KEYS', 'SIGNING_SECRET'],
  ['worker-1.log', '"level":"trace"'],
])('%s is searched, and what must be in it is found', (where, ...marks) => {
  const searched = places.filter(({ name }) => name.includes(where));
  for (const mark of marks) expect(findSecrets(searched, new Map([['it', mark]]))).not.toEqual([]);
});

it('a planted leak is found, plain, in base64 and in a part of a token', () => {
  const token = secrets.get('link-token 1') ?? '';
  const privateKey = privateKeyIn(token);
  const encode = (text: string, encoding: 'base64' | 'base64url' = 'base64') =>
    Buffer.from(text).toString(encoding);
  const ofToken = [token, encode(`{"linkToken":"${token}"}`), encode(encode(`"${token}"`))];
  const ofKey = [
    privateKey,
    ...['', '"', '?>'].map((before) => encode(`${before}${privateKey}~`)),
    encode(`??>${privateKey}`, 'base64url'),
    encode(encode(`key=${privateKey}`)),
  ];
  for (const [what, texts] of [
    ['link-token 1', ofToken],
    ['private key of link-token 1', ofKey],
  ] as const) {
    for (const text of texts) {
      const found = findSecrets([textPlace('a log', `created ${text}!`)], secrets);
      expect(found).toContain(`${what} in a log`);
    }
  }
});

it('no secret is anywhere else', () => {
  expect(own.installation.tokens().length).toBeGreaterThanOrEqual(2);
  expect(findSecrets(places, secrets)).toEqual([]);
});
