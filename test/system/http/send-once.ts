/** A program: sends one request and prints what came of it. For what Node takes at its start only. */
import { HttpError, createSender } from '../../../src/http/send';

const [url = '', abortAfterMs] = process.argv.slice(2);
const abort = new AbortController();
if (abortAfterMs) setTimeout(() => abort.abort(new Error('stopped')), Number(abortAfterMs));

const sender = createSender(5000);
void send()
  .then((outcome) => console.log(JSON.stringify(outcome)))
  .finally(() => void sender.close());

async function send(): Promise<unknown> {
  try {
    const { status, text } = await sender.send(
      { method: 'POST', url, headers: {}, body: '{}' },
      { abortUntilWritten: abort.signal },
    );
    return { status, text };
  } catch (error) {
    if (error instanceof HttpError) return { written: error.written, code: error.code };
    return { message: (error as Error).message };
  }
}
