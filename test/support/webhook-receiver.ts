import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { PrepareRequest } from '../../src/contract/schemas';
import { serveHttp } from './servers';

type Of = Pick<PrepareRequest, 'sourceOrgId'>;

export type WebhookReceiver = Awaited<ReturnType<typeof startWebhookReceiver>>;

interface Post {
  sourceOrgId: string | null;
  linkToken: string;
  stored: boolean;
  response: ServerResponse;
}

export async function startWebhookReceiver() {
  const posts: Post[] = [];
  const server = await serveHttp(({ url, text }, response) => {
    const { data } = JSON.parse(text) as { data: Pick<Post, 'sourceOrgId' | 'linkToken'> };
    const stored = url !== '/hangs';
    posts.push({ ...data, stored, response });
    if (stored) response.writeHead(503).end();
  });
  const postsOf = ({ sourceOrgId }: Of) => posts.filter((post) => post.sourceOrgId === sourceOrgId);
  const hangingOf = (request: Of) =>
    postsOf(request).filter(({ response }) => !response.destroyed && !response.writableEnded);
  return {
    /** Configures a sink that posts here. */
    sink: (behaviour: 'stores-then-503' | 'hangs') => ({
      type: 'webhook',
      url: `${server.url}/${behaviour}`,
      allowHttp: true,
      signingSecrets: [{ env: 'SIGNING_SECRET' }],
    }),
    env: { SIGNING_SECRET: `whsec_${randomBytes(32).toString('base64')}` },
    /** Returns the tokens of a request that were stored, each once for each POST of it. */
    stored: (request: Of) =>
      postsOf(request)
        .filter(({ stored }) => stored)
        .map(({ linkToken }) => linkToken),
    /** Counts the deliveries of a request that hang. */
    hanging: (request: Of) => hangingOf(request).length,
    /** Lets those that hang succeed: each is stored then. */
    release(request: Of) {
      for (const post of hangingOf(request)) {
        post.stored = true;
        post.response.writeHead(204).end();
      }
    },
  };
}
