import type { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import type { ReferenceContext, Secret } from '../secrets';
import { checkedSecret } from '../checked-secret';
import { createHttpCall } from './http-call';
import { errorOfAnswer, isSuccess } from './http-status';
import { httpFields, httpUrl, withoutPlainHttp } from './http-url';
import type { Delivery, Sink, SinkType } from './sink';

interface WebhookConfig {
  url: URL;
  /** The first is the current one; while rotating, the receiver may know either. */
  signingSecrets: Secret[];
  timeoutMs: number;
}

/**
 * POSTs each token to a URL, signed as Standard Webhooks say (standardwebhooks.com). `webhook-id` is the delivery id on
 * every attempt, by which the receiver tells a repetition.
 */
export const webhookSink: SinkType<WebhookConfig> = {
  type: 'webhook',
  configSchema: (context) =>
    withoutPlainHttp(
      z.strictObject({
        url: httpUrl,
        signingSecrets: z
          .array(signingSecret(context), 'list one signing secret, or two while rotating')
          .min(1, 'is empty: list one signing secret, or two while rotating')
          .max(2, 'has more than two secrets: keep the new one and the one before'),
        ...httpFields,
      }),
      'url',
    ),
  async create(config) {
    const { Webhook } = await import('standardwebhooks');
    return createWebhookSink(config, (secret) => new Webhook(secret));
  },
};

/** `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks, "Signature scheme"). */
function signingSecret(context: ReferenceContext) {
  return checkedSecret(context, {
    isWellFormed: (secret) => {
      const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
      const bytes = Buffer.from(base64, 'base64').byteLength;
      return bytes >= 24 && bytes <= 64;
    },
    problem:
      'is not a signing secret: write whsec_ and the base64 of 24 to 64 random bytes, as openssl rand -base64 32 makes them',
  });
}

function createWebhookSink(
  { url, signingSecrets, timeoutMs }: WebhookConfig,
  signerOf: (secret: string) => Webhook,
): Sink {
  // The path and the query of a webhook may be a secret themselves.
  const peer = `the webhook at ${url.origin}`;
  const call = createHttpCall(peer, timeoutMs);

  return {
    async deliver(delivery, signal) {
      const now = new Date();
      const body = JSON.stringify(eventOf(delivery, now));
      const signatures = signingSecrets.map((secret) =>
        signerOf(secret.read()).sign(delivery.deliveryId, now, body),
      );
      const headers = {
        'content-type': 'application/json',
        'webhook-id': delivery.deliveryId,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': signatures.join(' '),
      };
      const answer = await call({ method: 'POST', url, headers, body }, signal);
      if (!isSuccess(answer)) throw errorOfAnswer(peer, answer);
      return `${peer}, which answered ${answer.status} to webhook-id ${delivery.deliveryId}`;
    },
  };
}

function eventOf(delivery: Delivery, now: Date) {
  const { deliveryId, orgId, sourceOrgId, token, tokenSha256, createdAt } = delivery;
  return {
    type: 'link-token.created',
    timestamp: now.toISOString(),
    data: { deliveryId, orgId, sourceOrgId, linkToken: token, tokenSha256, createdAt },
  };
}
