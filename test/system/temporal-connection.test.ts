import http2 from 'node:http2';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { freePort } from '../../dev/temporal/free-port';
import { connectClient, connectWorker } from '../../src/temporal/connection';
import { certificateFor, listen, serveSocket } from '../support/servers';

const CANARIES = {
  TEMPORAL_API_KEY: 'tmprl_CANARY_api_key',
  TEMPORAL_GRPC_META_AUTHORIZATION: 'Bearer CANARY_authorization',
  TEMPORAL_GRPC_META_X_TOKEN: 'CANARY_x_token',
};
const WITHOUT_TLS = { ...CANARIES, TEMPORAL_TLS: 'false' };

Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });

/** Refuses every call without TLS, and quotes each header that it was sent. */
async function refusingServer(): Promise<string> {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    const quoted = encodeURIComponent(JSON.stringify(headers));
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '16', 'grpc-message': quoted },
      { endStream: true },
    );
  });
  return (await listen(server, 'http')).address;
}

describe('without a connection, a client and a worker say what to do, and quote no secret:', () => {
  it.concurrent.each<
    [what: string, env: () => Promise<Record<string, string>>, reason: RegExp, workerTimeoutMs?: number]
  >([
    [
      'an API key with a line end',
      () => Promise.resolve({ TEMPORAL_ADDRESS: '127.0.0.1:1', TEMPORAL_API_KEY: 'tmprl_CANARY\n' }),
      /^cannot reach Temporal at 127\.0\.0\.1:1, namespace default, with TLS \((the reason quotes a credential|.*Connection refused)/,
    ],
    [
      'nothing listens',
      async () => ({ ...WITHOUT_TLS, TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }),
      /without TLS \(.*(ECONNREFUSED|Connection refused)/,
    ],
    [
      'a server that refuses the credentials and quotes them',
      async () => ({ ...WITHOUT_TLS, TEMPORAL_ADDRESS: await refusingServer() }),
      /without TLS \(the reason quotes a credential/,
    ],
    [
      'a server that accepts and says nothing',
      async () => ({ ...WITHOUT_TLS, TEMPORAL_ADDRESS: (await serveSocket(() => undefined)).address }),
      /without TLS \((Failed to connect before the deadline|no response within 1000 ms)/,
      1000,
    ],
    [
      'a server without TLS, for a client with a certificate',
      async () => {
        const { cert, key } = await certificateFor();
        const pair = { TEMPORAL_TLS_CLIENT_CERT_DATA: cert, TEMPORAL_TLS_CLIENT_KEY_DATA: key };
        return { ...pair, TEMPORAL_ADDRESS: await refusingServer() };
      },
      /with TLS \(.*(wrong version number|InvalidContentType)/,
    ],
    [
      'a certificate that nobody trusts',
      async () => {
        const server = http2.createSecureServer(await certificateFor());
        return { TEMPORAL_TLS: 'true', TEMPORAL_ADDRESS: (await listen(server, 'https')).address };
      },
      /with TLS \(.*(self-signed certificate|InvalidCertificate)/,
    ],
  ])('%s', async (_what, makeEnv, reason, workerTimeoutMs = 30_000) => {
    const env: Record<string, string> = { ...CANARIES, HOME: '/nowhere', ...(await makeEnv()) };
    const key = env['TEMPORAL_TLS_CLIENT_KEY_DATA'] ?? '';
    // Only the client tries again until its timeout.
    for (const connect of [() => connectClient(env, 1000), () => connectWorker(env, workerTimeoutMs)]) {
      const failure = await connect().then(String, (error: unknown) => (error as Error).message);
      expect(failure).toMatch(reason);
      expect(failure).toMatch(
        /: start it, or correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY or the TEMPORAL_TLS variables$/,
      );
      for (const secret of ['CANARY', ...key.split('\n').filter(({ length }) => length > 20)])
        expect(failure).not.toContain(secret);
    }
  });
});
