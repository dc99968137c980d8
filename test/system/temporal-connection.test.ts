import http2 from 'node:http2';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { connectClient, connectWorker } from '../../src/temporal/connection';
import { certificateFor, listen, serveSocket } from '../support/servers';

const CANARIES = {
  TEMPORAL_API_KEY: 'tmprl_CANARY_api_key',
  TEMPORAL_GRPC_META_AUTHORIZATION: 'Bearer CANARY_authorization',
  TEMPORAL_GRPC_META_X_TOKEN: 'CANARY_x_token',
};

/** Node.js warns about an IP address as a TLS server name, and from version 26 on refuses it. */
const SERVER_NAME = process.versions.node < '26' ? { TEMPORAL_TLS_SERVER_NAME: 'localhost' } : {};

Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });

/** Refuses every call without TLS, and quotes each header that it was sent. */
function refusingServer() {
  const server = http2.createServer();
  server.on('stream', (stream, headers) => {
    const quoted = encodeURIComponent(JSON.stringify(headers));
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': '16',
        'grpc-message': quoted,
      },
      { endStream: true },
    );
  });
  return listen(server, 'http');
}

describe('a client and a worker say what to do, and quote no secret, for', () => {
  it.concurrent.each([
    [
      'an API key with a line end',
      () => ({ address: '127.0.0.1:1' }),
      { TEMPORAL_TLS: '', TEMPORAL_API_KEY: 'tmprl_CANARY\n' },
      /^cannot reach Temporal at 127\.0\.0\.1:1, namespace default, with TLS \((the reason is not shown, since it quotes a credential|.*Connection refused)/,
    ],
    [
      'a server that refuses the credentials and quotes them',
      refusingServer,
      {},
      /without TLS \(the reason is not shown, since it quotes a credential/,
    ],
    [
      'a server that accepts and says nothing',
      () => serveSocket(() => undefined),
      {},
      /without TLS \(no response within 1000 ms/,
      1000,
    ],
    [
      'a certificate that nobody trusts',
      async () => listen(http2.createSecureServer(await certificateFor()), 'https'),
      { TEMPORAL_TLS: 'true', ...SERVER_NAME },
      /with TLS \(.*(self-signed certificate|InvalidCertificate|set TEMPORAL_TLS_SERVER_NAME)/,
    ],
  ])('%s', async (_what, serve, more, reason, timeoutMs = 600_000) => {
    const { address } = await serve();
    const env = {
      ...CANARIES,
      HOME: '/nowhere',
      TEMPORAL_TLS: 'false',
      ...more,
      TEMPORAL_ADDRESS: address,
    };
    for (const connect of [connectClient, connectWorker]) {
      const failure = await connect(env, timeoutMs).then(
        String,
        (error: unknown) => (error as Error).message,
      );
      expect(failure).toMatch(reason);
      expect(failure).toMatch(
        /: (grant|start) it, or correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY or the TEMPORAL_TLS variables$/,
      );
      expect(failure).not.toContain('CANARY');
    }
  });
});
