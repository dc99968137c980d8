import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo, type Server } from 'node:net';
import { embeddedEnv } from '../../dev/temporal/embedded-env';
import { freePort } from '../../dev/temporal/free-port';
import { atOnce } from '../support/at-once';
import { credentialEnv, type TestAtlas } from '../support/atlas';
import { cleanUpLater } from '../support/clean-up';
import { CLIENT } from '../support/command-line';
import { runProgram, type Deployment } from '../support/deployment';
import { newOrgId } from '../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../support/installation';
import { certificateFor, type Certificate } from '../support/servers';

const CANARIES = {
  TEMPORAL_API_KEY: 'tmprl_CANARY_api_key',
  TEMPORAL_GRPC_META_AUTHORIZATION: 'Bearer CANARY_authorization',
  TEMPORAL_GRPC_META_X_TOKEN: 'CANARY_x_token',
};

let atlas: TestAtlas;
let deployment: Deployment;
let pair: Certificate;
beforeAll(async () => {
  atlas = await startAtlas();
  deployment = await deploy({ atlas, config: { log: { level: 'trace' } } });
  pair = await certificateFor();
});

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  cleanUpLater(() => server.close());
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that refuses whoever calls it and quotes every header that it was sent. */
function refusingServer(): Promise<string> {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    const quoted = encodeURIComponent(JSON.stringify(headers));
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '16', 'grpc-message': quoted },
      { endStream: true },
    );
  });
  return listen(server);
}

function silentServer(): Promise<string> {
  return listen(net.createServer());
}

interface Outcome {
  code: number | null;
  output: string;
}

async function runClient(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await runProgram(CLIENT, args, { ...embeddedEnv('127.0.0.1:1'), ...env });
  return { code, output: stdout + stderr };
}

async function runWorker(env: Record<string, string>): Promise<Outcome> {
  const worker = deployment.spawnWorker({ TEMPORAL_ADDRESS: '127.0.0.1:1', ...env });
  const { code } = await worker.exited;
  return { code, output: worker.output() };
}

/** Parts of a private key that a message could quote. */
const linesOf = (pem: string) => pem.split('\n').filter((line) => line.length > 20);

describe('neither program quotes a secret of Temporal, each says what to do, and ends:', () => {
  const rows: [
    what: string,
    env: () => Promise<Record<string, string>> | Record<string, string>,
    message: RegExp,
  ][] = [
    [
      'an API key with a line end',
      () => ({ ...CANARIES, TEMPORAL_API_KEY: `${CANARIES.TEMPORAL_API_KEY}\n` }),
      /cannot reach Temporal at 127\.0\.0\.1:1, namespace default, with TLS \(.*\): start it, or correct .*TEMPORAL_API_KEY/,
    ],
    [
      'nothing listens',
      async () => ({ ...CANARIES, TEMPORAL_TLS: 'false', TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }),
      /cannot reach Temporal at 127\.0\.0\.1:\d+, namespace default, without TLS \(.*\): start it, or correct TEMPORAL_ADDRESS/s,
    ],
    [
      'a server that refuses the credentials and quotes them',
      async () => ({ ...CANARIES, TEMPORAL_TLS: 'false', TEMPORAL_ADDRESS: await refusingServer() }),
      /cannot reach Temporal at 127\.0\.0\.1:\d+, namespace default, without TLS \(the reason quotes a credential, .*\): /,
    ],
    [
      'a server that accepts and says nothing',
      async () => ({ ...CANARIES, TEMPORAL_TLS: 'false', TEMPORAL_ADDRESS: await silentServer() }),
      /cannot reach Temporal at 127\.0\.0\.1:\d+, namespace default, without TLS \(.*\): start it, or correct TEMPORAL_ADDRESS/,
    ],
    [
      'a server without TLS, for a client with a certificate',
      async () => ({
        ...CANARIES,
        TEMPORAL_ADDRESS: await refusingServer(),
        TEMPORAL_TLS_CLIENT_CERT_DATA: pair.cert,
        TEMPORAL_TLS_CLIENT_KEY_DATA: pair.key,
      }),
      /cannot reach Temporal at 127\.0\.0\.1:\d+, namespace default, with TLS \(/,
    ],
  ];

  const check = async (prepare: (typeof rows)[number][1], message: RegExp) => {
    const env = await prepare();
    const target = ['--org', newOrgId()];
    const [client, worker] = await Promise.all([
      runClient(env, '--json', 'watch', ...target),
      runWorker(env),
    ]);
    expect([client.code, worker.code]).toEqual([3, 1]);
    for (const { output } of [client, worker]) {
      expect(output).toMatch(message);
      expect(output).not.toMatch(/CANARY/);
      for (const line of linesOf(pair.key)) expect(output).not.toContain(line);
      expect(output).not.toMatch(/\n\s+at /);
    }
  };
  atOnce(Object.fromEntries(rows.map(([what, env, message]) => [what, () => check(env, message)])));
});

describe('a command names what prevents the connection:', () => {
  const messageFor = async (env: Record<string, string>) =>
    (await runClient(env, 'watch', '--org', newOrgId())).output;
  const remedy = 'or the TEMPORAL_TLS variables';

  it('nothing listens', async () => {
    expect(await messageFor({ TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` })).toMatch(/ECONNREFUSED/);
  });

  it('TLS, and the server has none', async () => {
    const { address } = await sharedTemporal();
    const message = await messageFor({ TEMPORAL_ADDRESS: address, TEMPORAL_TLS: 'true' });
    expect(message).toMatch(/with TLS \(.*wrong version number.*\): .* or the TEMPORAL_TLS variables/);
  });

  it('an API key, which means TLS, and the server has none', async () => {
    const { address } = await sharedTemporal();
    const message = await messageFor({ ...CANARIES, TEMPORAL_ADDRESS: address });
    expect(message).toMatch(/with TLS \(.*wrong version number.*\): .* or the TEMPORAL_TLS variables/);
  });

  it.each<[what: string, options: Parameters<typeof certificateFor>[0], env: object, reason: RegExp]>([
    ['nobody trusts', {}, {}, /self-signed certificate/],
    ['is of another host', { ip: '192.0.2.1' }, { trusted: true }, /ERR_TLS_CERT_ALTNAME_INVALID/],
    ['has expired', { expired: true }, { trusted: true }, /certificate has expired/],
  ])('a certificate that %s', async (_what, options, { trusted }: { trusted?: boolean }, reason) => {
    const certificate = await certificateFor(options);
    const address = await listen(http2.createSecureServer(certificate));
    const message = await messageFor({
      TEMPORAL_ADDRESS: address,
      TEMPORAL_TLS: 'true',
      ...(trusted && { TEMPORAL_TLS_SERVER_CA_CERT_DATA: certificate.cert }),
    });
    expect(message).toMatch(reason);
    expect(message).toContain(remedy);
  });
});

it('doctor reports what is wrong with the settings as a finding, quotes no secret, and goes on', async () => {
  const { address } = await sharedTemporal();
  const env = {
    ...credentialEnv(atlas.account, 'serviceAccount'),
    MONGODB_ATLAS_BASE_URL: atlas.url,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_API_KEY: `${CANARIES.TEMPORAL_API_KEY}\n`,
  };
  const { code, output } = await runClient(env, 'doctor', '--config', deployment.configFile);
  expect(code).toBe(1);
  expect(output).toMatch(
    /Temporal: cannot reach Temporal at .*\(the reason quotes a credential, .* line end/,
  );
  expect(output).toMatch(/^ok +sink files: /m);
  expect(output).not.toContain('CANARY');
});
