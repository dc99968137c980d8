import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { PrepareRequest } from '../../src/contract/schemas';
import { serveHttp } from './servers';

/** Behaviour of a receiver, named by the path that the sink posts to. */
type Behaviour = 'stores-then-503' | 'hangs';

type Of = Pick<PrepareRequest, 'sourceOrgId'>;

export interface WebhookReceiver {
  /** Configuration of a sink that posts here. */
  sink(behaviour: Behaviour): object;
  /** Variables for the environment of the worker. */
  readonly env: Record<string, string>;
  /** The tokens of a request that were stored, each once for each POST of it. */
  stored(request: Of): string[];
  /** Number of deliveries of a request that hang. */
  hanging(request: Of): number;
  /** Lets those that hang succeed; each is stored then. */
  release(request: Of): void;
}

interface Post {
  sourceOrgId: string | null;
  linkToken: string;
  stored: boolean;
  response: ServerResponse;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
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
    sink: (behaviour) => ({
      type: 'webhook',
      url: `${server.url}/${behaviour}`,
      allowHttp: true,
      signingSecrets: [{ env: 'SIGNING_SECRET' }],
    }),
    env: { SIGNING_SECRET: `whsec_${randomBytes(32).toString('base64')}` },
    stored: (request) =>
      postsOf(request)
        .filter(({ stored }) => stored)
        .map(({ linkToken }) => linkToken),
    hanging: (request) => hangingOf(request).length,
    release(request) {
      for (const post of hangingOf(request)) {
        post.stored = true;
        post.response.writeHead(204).end();
      }
    },
  };
}
