import type * as StandardWebhooks from 'standardwebhooks';
import { z } from 'zod';
import { deliverySchema, timestamp } from '../contract/schemas';
import { isSuccess } from '../http/response';
import { secretReference, type ReferenceContext, type SecretFormat } from '../secrets/read-secret';
import type { Sink, SinkType } from './sink';
import { httpConfig, httpUrl } from './utils/http-config';
import { createSinkSend, statusError } from './utils/http-outcomes';

/**
 * Checks a signing secret: `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks, "Signature
 * scheme").
 */
const signingSecretFormat: SecretFormat = (secret) => {
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const bytes = Buffer.from(base64, 'base64').byteLength;
  return bytes >= 24 && bytes <= 64
    ? null
    : 'is not a signing secret: write whsec_ and the base64 of 24 to 64 bytes,' +
        ' such as from openssl rand -base64 32';
};

const configSchema = (context: ReferenceContext) =>
  httpConfig('url', {
    url: httpUrl,
    /** During a rotation the new one is first, while the receiver may know either. */
    signingSecrets: z
      .array(
        secretReference(context, signingSecretFormat),
        'list one signing secret, or two during a rotation',
      )
      .min(1, 'is empty: list one signing secret, or two during a rotation')
      .max(2, 'has more than two secrets: keep the new one and the former one'),
  });

const SIGNATURE_REFUSED =
  'check that the receiver knows one of signingSecrets,' +
  " and that the clock of the worker's host is right: it is part of the signature";
const ADVICE = { 401: SIGNATURE_REFUSED, 403: SIGNATURE_REFUSED };

type Config = z.output<ReturnType<typeof configSchema>>;

/**
 * POSTs each token to a URL, signed as Standard Webhooks specify (standardwebhooks.com).
 * `webhook-id` is the delivery id, by which the receiver recognises a repetition.
 */
export const webhookSink: SinkType<Config> = {
  type: 'webhook',
  configSchema,
  async create(config) {
    return createWebhookSink(config, await import('standardwebhooks'));
  },
};

function createWebhookSink(
  { url, signingSecrets, timeoutMs }: Config,
  { Webhook }: typeof StandardWebhooks,
): Sink {
  // The path and the query of a webhook may be secret themselves.
  const server = `the webhook at ${url.origin}`;
  const send = createSinkSend(server, timeoutMs);

  return {
    async deliver(delivery, signal) {
      const now = new Date();
      const event: z.output<typeof linkTokenCreatedSchema> = {
        type: 'link-token.created',
        timestamp: delivery.createdAt,
        data: delivery,
      };
      const body = JSON.stringify(event);
      const signatures = signingSecrets.map((secret) =>
        new Webhook(secret.read()).sign(delivery.deliveryId, now, body),
      );
      const headers = {
        'content-type': 'application/json',
        'webhook-id': delivery.deliveryId,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': signatures.join(' '),
      };
      const response = await send({ method: 'POST', url, headers, body }, signal, {
        bodyOptional: true,
      });
      if (!isSuccess(response)) throw statusError(server, response, ADVICE);
      return `${server}, which accepted webhook-id ${delivery.deliveryId}`;
    },

    /** Sends OPTIONS, which has no effect (RFC 9110, 9.2.1). Any response but an outage passes. */
    async check(_target, signal) {
      for (const secret of signingSecrets) secret.read();
      const response = await send({ method: 'OPTIONS', url, headers: {} }, signal, {
        bodyOptional: true,
      });
      // These come from a proxy whose receiver is down.
      if ([502, 503, 504].includes(response.status)) throw statusError(server, response);
      return `${server} responds; only a delivery shows whether it accepts a token`;
    },
  };
}

export const linkTokenCreatedSchema = z
  .object({
    type: z.literal('link-token.created').describe('The kind of this event'),
    timestamp: timestamp.describe(
      'When Atlas returned the token (RFC 3339, UTC); the same in every attempt',
    ),
    data: deliverySchema.describe('The token and what is known of it'),
  })
  .meta({
    title: 'LinkTokenCreated',
    description:
      'Event of the sink webhook. Later versions may add fields: ignore those you do not know.',
  });
