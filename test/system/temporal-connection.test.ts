import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { freePort } from '../../dev/temporal/free-port';
import { connectClient, connectWorker } from '../../src/temporal/connection';
import { cleanUpLater } from '../support/clean-up';
import { certificateFor } from '../support/servers';

const CANARIES = {
  TEMPORAL_API_KEY: 'tmprl_CANARY_api_key',
  TEMPORAL_GRPC_META_AUTHORIZATION: 'Bearer CANARY_authorization',
  TEMPORAL_GRPC_META_X_TOKEN: 'CANARY_x_token',
};
const WITHOUT_TLS = { ...CANARIES, TEMPORAL_TLS: 'false' };
const TIMEOUT_MS = 1000;

Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });

async function listen(server: Server): Promise<string> {
  // A client may leave its connection open, which would keep this process from ending.
  server.on('connection', (socket: Socket) => cleanUpLater(() => socket.destroy()));
  server.listen(0, '127.0.0.1');
  cleanUpLater(() => server.close());
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Refuses every call without TLS, and quotes each header that it was sent. */
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

/** Expects that there is no connection. */
async function messageFor(connect: typeof connectClient | typeof connectWorker, env: Record<string, string>) {
  const error = await connect({ HOME: '/nowhere', ...env }, TIMEOUT_MS).then(
    () => null,
    (cause: unknown) => cause as Error,
  );
  return error?.message;
}

describe('without a connection, a client and a worker say what to do, and quote no secret:', () => {
  it.concurrent.each<[what: string, env: () => Promise<Record<string, string>>, message: RegExp]>([
    [
      'an API key with a line end',
      () =>
        Promise.resolve({
          ...CANARIES,
          TEMPORAL_ADDRESS: '127.0.0.1:1',
          TEMPORAL_API_KEY: `${CANARIES.TEMPORAL_API_KEY}\n`,
        }),
      /^cannot reach Temporal at 127\.0\.0\.1:1, namespace default, with TLS \(.*\): start it/,
    ],
    [
      'nothing listens',
      async () => ({ ...WITHOUT_TLS, TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }),
      /without TLS \(.*\): start it, or correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY or the TEMPORAL_TLS/,
    ],
    [
      'a server that refuses the credentials and quotes them',
      async () => ({ ...WITHOUT_TLS, TEMPORAL_ADDRESS: await refusingServer() }),
      /without TLS \(the reason quotes a credential, which may hold a line end or a character outside ASCII\): /,
    ],
    [
      'a server that accepts and says nothing',
      async () => ({ ...WITHOUT_TLS, TEMPORAL_ADDRESS: await listen(net.createServer()) }),
      /without TLS \(.*\): start it/,
    ],
    [
      'a server without TLS, for a client with a certificate',
      async () => {
        const { cert, key } = await certificateFor();
        const pair = { TEMPORAL_TLS_CLIENT_CERT_DATA: cert, TEMPORAL_TLS_CLIENT_KEY_DATA: key };
        return { ...CANARIES, ...pair, TEMPORAL_ADDRESS: await refusingServer() };
      },
      /with TLS \(.*\): start it/,
    ],
  ])('%s', async (_what, makeEnv, expected) => {
    const env = await makeEnv();
    const key = env['TEMPORAL_TLS_CLIENT_KEY_DATA'] ?? '';
    for (const connect of [connectClient, connectWorker]) {
      const message = await messageFor(connect, env);
      expect(message).toMatch(expected);
      expect(message).not.toContain('CANARY');
      for (const line of key.split('\n').filter(({ length }) => length > 20))
        expect(message).not.toContain(line);
    }
  });
});

describe('a client names what prevents the connection:', () => {
  it.concurrent.each<[what: string, env: () => Promise<Record<string, string>>, reason: string]>([
    [
      'nothing listens',
      async () => ({ TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }),
      'without TLS (.*ECONNREFUSED',
    ],
    [
      'TLS, and the server has none',
      async () => ({ TEMPORAL_ADDRESS: await refusingServer(), TEMPORAL_TLS: 'true' }),
      'with TLS (.*wrong version number',
    ],
    [
      'an API key, which means TLS, and the server has none',
      async () => ({ TEMPORAL_ADDRESS: await refusingServer(), ...CANARIES }),
      'with TLS (.*wrong version number',
    ],
    [
      'a certificate that nobody trusts',
      () => secureServer({}, false),
      'with TLS (.*self-signed certificate',
    ],
    [
      'a certificate of another host',
      () => secureServer({ ip: '192.0.2.1' }, true),
      'with TLS (.*ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    [
      'a certificate that has expired',
      () => secureServer({ expired: true }, true),
      'with TLS (.*certificate has expired',
    ],
  ])('%s', async (_what, makeEnv, reason) => {
    const message = await messageFor(connectClient, await makeEnv());
    expect(message).toMatch(new RegExp(reason.replace('(', String.raw`\(`)));
    expect(message).toMatch(/ or the TEMPORAL_TLS variables$/);
  });
});

/** The environment for a server with a certificate of its own. */
async function secureServer(options: Parameters<typeof certificateFor>[0], isTrusted: boolean) {
  const certificate = await certificateFor(options);
  return {
    TEMPORAL_ADDRESS: await listen(http2.createSecureServer(certificate)),
    TEMPORAL_TLS: 'true',
    ...(isTrusted && { TEMPORAL_TLS_SERVER_CA_CERT_DATA: certificate.cert }),
  };
}
