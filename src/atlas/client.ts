import { z } from 'zod';
import { createApiKey } from './api-key';
import type { CredentialConfig } from './credential-config';
import type { Credential } from './credential';
import { AtlasAnswerError } from './errors';
import { parseJson } from '../http';
import { createServiceAccount } from './service-account';
import type { AtlasAnswer, Send } from './messages';
import { createTransport } from './transport';

/** The version of the published operation; a later date in Accept resolves to it. */
const MEDIA_TYPE = 'application/vnd.atlas.2023-01-01+json';

const createdSchema = z.object({ linkToken: z.string().min(1) });
const organizationsSchema = z.object({ results: z.array(z.object({ id: z.string() })) });
const envelopeSchema = z.object({ status: z.int().min(100).max(599), content: z.unknown().optional() });

export interface AtlasOptions {
  baseUrl: string;
  requestTimeoutMs: number;
  envelope: boolean;
  pretty: boolean;
  /** By name. */
  credentials: ReadonlyMap<string, CredentialConfig>;
}

export interface Atlas {
  /**
   * Creates one link-token: one POST, no retry. It is not idempotent: each success is a new credential.
   *
   * @param credentialName one of the configured names.
   * @param startSignal stops a request that is not yet written, never one that is.
   * @returns the link-token.
   * @throws AtlasAnswerError, AtlasConnectionError, or the reason of `startSignal`.
   */
  createLinkToken(
    orgId: string,
    accessListIps: readonly string[],
    credentialName: string,
    startSignal: AbortSignal,
  ): Promise<string>;
  /**
   * Lists the organizations that a credential can see. Creates nothing.
   *
   * @returns organization ids; the first 500, and a credential belongs to one organization.
   * @throws AtlasAnswerError, AtlasConnectionError
   */
  visibleOrganizations(credentialName: string): Promise<string[]>;
  /** Gives access tokens back and closes the connections. */
  close(): Promise<void>;
}

/** The part of the Atlas Administration API that this product uses. One attempt a call. */
export function createAtlas({
  baseUrl,
  requestTimeoutMs,
  envelope,
  pretty,
  credentials,
}: AtlasOptions): Atlas {
  const transport = createTransport(baseUrl, requestTimeoutMs);
  const send: Send = envelope ? async (request) => unwrap(await transport.send(request)) : transport.send;
  const identities = new Map(
    [...credentials].map(([name, config]) => [name, createCredential(config, send)]),
  );
  const query = queryOf({ envelope, pretty });

  function identityNamed(name: string): Credential {
    const identity = identities.get(name);
    if (!identity) throw new Error(`there is no credential named ${name}`);
    return identity;
  }

  return {
    async createLinkToken(orgId, accessListIps, credentialName, startSignal) {
      startSignal.throwIfAborted();
      const answer = await identityNamed(credentialName).send({
        endpoint: 'linkTokens',
        method: 'POST',
        path: `/api/atlas/v2/orgs/${orgId}/liveMigrations/linkTokens${query}`,
        headers: { Accept: MEDIA_TYPE, 'Content-Type': MEDIA_TYPE },
        body: JSON.stringify({ accessListIps }),
        startSignal,
      });
      return linkTokenOf(answer);
    },

    async visibleOrganizations(credentialName) {
      const answer = await identityNamed(credentialName).send({
        endpoint: 'orgs',
        method: 'GET',
        path: '/api/atlas/v2/orgs?itemsPerPage=500',
        headers: { Accept: MEDIA_TYPE },
      });
      const parsed = answer.status === 200 ? organizationsSchema.safeParse(parseJson(answer.body)) : null;
      if (!parsed?.success) throw new AtlasAnswerError('orgs', answer);
      return parsed.data.results.map(({ id }) => id);
    },

    async close() {
      await Promise.all([...identities.values()].map((identity) => identity.close()));
      await transport.close();
    },
  };
}

function createCredential(config: CredentialConfig, send: Send): Credential {
  return config.type === 'apiKey' ? createApiKey(config, send) : createServiceAccount(config, send);
}

function queryOf(flags: Record<string, boolean>): string {
  const set = Object.entries(flags).filter(([, on]) => on);
  return set.length > 0 ? `?${set.map(([name]) => `${name}=true`).join('&')}` : '';
}

/** Any 2xx with a token is success: the page says 200, Atlas was recorded answering 201. */
function linkTokenOf(answer: AtlasAnswer): string {
  const parsed = createdSchema.safeParse(parseJson(answer.body));
  if (answer.status < 200 || answer.status > 299 || !parsed.success) {
    throw new AtlasAnswerError('linkTokens', answer);
  }
  return parsed.data.linkToken;
}

/** The status inside decides. What is not an envelope (an access token, a proxy's error page) stands for itself. */
function unwrap(answer: AtlasAnswer): AtlasAnswer {
  const parsed = envelopeSchema.safeParse(parseJson(answer.body));
  if (!parsed.success) return answer;
  return { ...answer, status: parsed.data.status, body: JSON.stringify(parsed.data.content ?? null) };
}
