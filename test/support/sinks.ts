import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { forEachClaim } from '../../src/contract/claims';
import type { Pair } from '../../src/contract/workflow-id';
import { sinkConfigSchema } from '../../src/sinks';
import type { Delivery } from '../../src/sinks/sink';
import { newOrgId } from './ids';
import { serveHttp } from './servers';

export type Env = Record<string, string>;

/** Creates a new token, of organizations of its own unless they are given. */
export function newDelivery(fields: Partial<Delivery> = {}): Delivery {
  const linkToken = fields.linkToken ?? `canary-link-token-${randomBytes(24).toString('hex')}`;
  return {
    linkToken,
    deliveryId: randomUUID(),
    orgId: newOrgId(),
    sourceOrgId: newOrgId(),
    tokenSha256: createHash('sha256').update(linkToken).digest('hex'),
    publicApiKey: 'abcdefgh',
    createdAt: new Date().toISOString(),
    ...forEachClaim((claim) => `a ${claim}`),
    ...fields,
  };
}

/** Creates another token of the organizations of the first, created after it. */
export function successorOf({ orgId, sourceOrgId, createdAt }: Delivery): Delivery {
  const later = new Date(Date.parse(createdAt) + 1000).toISOString();
  return newDelivery({ orgId, sourceOrgId, createdAt: later });
}

const never = () => new AbortController().signal;

/**
 * Creates a sink of a configuration as it is written under `sinks`; `env` holds what it refers to.
 */
export async function makeSink(config: object, env: Env = {}) {
  const create = sinkConfigSchema({ env, baseDirectory: '/', warn: () => undefined }).parse(config);
  const sink = await create();
  return {
    deliver: (delivery: Delivery, signal = never()) => sink.deliver(delivery, signal),
    check: (target: Partial<Pair> = {}) => sink.check(target, never()),
  };
}

/** Describes an error of a sink, for toMatchObject. */
export const sinkError = (kind: 'Rejected' | 'Unavailable', message: string | RegExp = '') => ({
  name: `Sink${kind}Error`,
  message:
    typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
});

/**
 * Starts a webhook that withholds its responses: what configures it as a sink, and the responses,
 * for a test to send.
 */
export async function startHangingWebhook() {
  const responses: ServerResponse[] = [];
  const { url } = await serveHttp((_request, response) => void responses.push(response));
  const sink = {
    type: 'webhook',
    url,
    allowHttp: true,
    signingSecrets: [{ env: 'SIGNING_SECRET' }],
  };
  const env = { SIGNING_SECRET: `whsec_${randomBytes(32).toString('base64')}` };
  return { responses, sink, env };
}
