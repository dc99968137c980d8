/** A program: sends one request through the transport, and prints what came of it. For what Node takes at start only. */
import type { AtlasConnectionError } from '../../src/atlas/errors';
import { createTransport } from '../../src/atlas/transport';

const [url = '', abortAfterMs] = process.argv.slice(2);
const abort = new AbortController();
if (abortAfterMs) setTimeout(() => abort.abort(new Error('told to stop')), Number(abortAfterMs));

const transport = createTransport(url, 5000);
void send()
  .then((outcome) => console.log(JSON.stringify(outcome)))
  .finally(() => void transport.close());

async function send(): Promise<unknown> {
  try {
    const { status, body } = await transport.send({
      endpoint: 'linkTokens',
      method: 'POST',
      path: '/',
      headers: {},
      body: '{}',
      startSignal: abort.signal,
    });
    return { status, body };
  } catch (error) {
    const { name, message, written, code } = error as AtlasConnectionError;
    return { name, message, written, code };
  }
}
