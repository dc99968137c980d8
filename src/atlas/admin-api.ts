import { z } from 'zod';
import { createDigest } from '../http/digest';
import { firstEntries, type HttpResponse } from '../http/response';
import { HttpError, createSender } from '../http/send';
import type { Backoff } from '../shared/activities';
import { createCircuitBreaker } from './circuit-breaker';
import type { AtlasRequest, Credential, CredentialConfig, Endpoint, Send } from './credential';
import { connectionError, credentialNotConfigured, responseError } from './outcomes';
import { redactCredentials } from './redact';
import { createServiceAccount } from './service-account';

/** The published version of the operation; Atlas resolves a later date to it. */
const MEDIA_TYPE = 'application/vnd.atlas.2023-01-01+json';

/** Access tokens expire by themselves. */
const REVOCATION_TIMEOUT_MS = 5000;

const createdSchema = z.object({ linkToken: z.string().min(1) });
const MAX_ORGANIZATIONS = 500;
const organizationsSchema = z.object({ results: firstEntries(z.object({ id: z.string() }), MAX_ORGANIZATIONS) });
const projectsSchema = z.array(z.unknown());
const envelopeSchema = z.object({ status: z.int().min(100).max(599), content: z.unknown().optional() });

export interface AdminApiOptions {
  /** Scheme, host and port, without a slash at the end. */
  baseUrl: string;
  requestTimeoutMs: number;
  /** Requests responses in an envelope, whose status then decides. */
  envelope: boolean;
  pretty: boolean;
  credentials: ReadonlyMap<string, CredentialConfig>;
  /** Called after each request; `status` is null when no complete response arrived. */
  onRequest?: (request: { endpoint: Endpoint; status: number | null; durationMs: number }) => void;
  /** Interval between the probes of a credential while its circuit is open. */
  backoff: Backoff;
}

/** Atlas grants a service account 10 access tokens a minute for each address. */
export type TokenUse = 'cached' | 'new';

export type AdminApi = ReturnType<typeof createAdminApi>;

/** Makes a client for the used part of the Atlas Administration API. Each call is one attempt. */
export function createAdminApi(options: AdminApiOptions) {
  const { baseUrl, requestTimeoutMs, envelope, pretty, backoff, onRequest } = options;
  const sender = createSender(requestTimeoutMs);
  const credentials = new Map(
    [...options.credentials].map(([name, config]) => [
      name,
      { circuit: createCircuitBreaker(name, backoff), ...createCredential(config) },
    ]),
  );
  const flags = Object.entries({ envelope, pretty }).flatMap(([name, isOn]) => (isOn ? `${name}=true` : []));
  const query = flags.length > 0 ? `?${flags.join('&')}` : '';

  async function send({ endpoint, path, abortUntilWritten, ...request }: AtlasRequest, config: CredentialConfig) {
    const startedAtMs = performance.now();
    const ended = (status: number | null) =>
      onRequest?.({ endpoint, status, durationMs: performance.now() - startedAtMs });
    try {
      const received = await sender.send({ ...request, url: baseUrl + path }, { abortUntilWritten });
      const response = envelope ? unwrap(received) : received;
      ended(response.status);
      // A success may hold a token, which must stay as it is.
      if (response.status < 300) return response;
      const secret = config.type === 'apiKey' ? config.privateKey : config.clientSecret;
      return redactCredentials(response, request.headers['Authorization'], secret);
    } catch (error) {
      ended(null);
      if (!(error instanceof HttpError)) throw error;
      throw connectionError(endpoint, error.written, error.code, baseUrl);
    }
  }

  function createCredential(config: CredentialConfig): Credential {
    const sendOnce: Send = (request) => send(request, config);
    if (config.type === 'serviceAccount') return createServiceAccount(config, sendOnce);
    const withDigest = createDigest(config.publicKey, config.privateKey);
    return {
      send: (request) => withDigest({ ...request, uri: request.path }, (headers) => sendOnce({ ...request, headers })),
    };
  }

  function findCredential(name: string) {
    const credential = credentials.get(name);
    if (!credential) throw credentialNotConfigured(name);
    return credential;
  }

  async function read<Content extends z.ZodType>(
    credentialName: string,
    request: Pick<AtlasRequest, 'endpoint' | 'path' | 'followsSuccess'>,
    content: Content,
  ): Promise<z.output<Content>> {
    const headers = { Accept: MEDIA_TYPE };
    const response = await findCredential(credentialName).send({ ...request, method: 'GET', headers });
    const parsed = response.status === 200 ? content.safeParse(response.json) : null;
    if (!parsed?.success) throw responseError(request.endpoint, response);
    return parsed.data;
  }

  function readProjects(orgId: string, credentialName: string, followsSuccess = false): Promise<unknown[]> {
    const path = `${liveMigrations(orgId)}/availableProjects`;
    return read(credentialName, { endpoint: 'availableProjects', path, followsSuccess }, projectsSchema);
  }

  return {
    /**
     * Creates one link-token: one POST, no retry. It is not idempotent: each success is a new credential.
     *
     * @param abortUntilWritten ends a request that is not yet written, never one that is.
     * @throws AtlasError, SecretUnavailableError, or the reason of `abortUntilWritten`.
     */
    async createLinkToken(
      orgId: string,
      accessListIps: readonly string[],
      credentialName: string,
      abortUntilWritten: AbortSignal,
    ): Promise<string> {
      abortUntilWritten.throwIfAborted();
      const credential = findCredential(credentialName);
      return credential.circuit.send(async () => {
        const response = await credential.send({
          endpoint: 'linkTokens',
          method: 'POST',
          path: `${liveMigrations(orgId)}/linkTokens${query}`,
          headers: { Accept: MEDIA_TYPE, 'Content-Type': MEDIA_TYPE },
          body: JSON.stringify({ accessListIps }),
          abortUntilWritten,
        });
        // Any 2xx with a token is a success: the published page says 200, and Atlas was recorded with 201.
        const created = response.status >= 200 && response.status <= 299;
        const parsed = createdSchema.safeParse(response.json);
        if (!created || !parsed.success) throw responseError('linkTokens', response);
        return parsed.data.linkToken;
      });
    },

    /**
     * Lists the organizations that a credential can see, for checks. Creates nothing.
     *
     * @param token `new` fetches an access token first: the cached one works on after the client secret was replaced.
     * @returns the first 500 organization ids; a credential belongs to one organization.
     * @throws AtlasError, SecretUnavailableError
     */
    async visibleOrganizations(credentialName: string, token: TokenUse): Promise<string[]> {
      if (token === 'new') await findCredential(credentialName).renew?.();
      const path = `/api/atlas/v2/orgs?itemsPerPage=${MAX_ORGANIZATIONS}`;
      const { results } = await read(credentialName, { endpoint: 'orgs', path }, organizationsSchema);
      return results.map(({ id }) => id);
    },

    /**
     * Makes a call that requires the role of creating a link-token, and creates nothing. Another call with the
     * credential must have succeeded just before.
     *
     * @throws AtlasError, SecretUnavailableError
     */
    async requireOwnerRole(orgId: string, credentialName: string): Promise<void> {
      await readProjects(orgId, credentialName, true);
    },

    /**
     * Checks whether a source is linked: Atlas lists projects that only a linked source can supply. It does not say
     * which source organization they belong to.
     *
     * @see https://www.mongodb.com/docs/api/doc/atlas-admin-api-v2/ (Cloud Migration Service)
     * @throws AtlasError, SecretUnavailableError
     */
    async isLinked(orgId: string, credentialName: string): Promise<boolean> {
      const projects = await readProjects(orgId, credentialName);
      return projects.length > 0;
    },

    /**
     * Describes in a clause why this process holds back the link-token requests of a credential, and until when; null
     * while the circuit is closed.
     *
     * @throws AtlasError when the credential is not configured.
     */
    describeOpenCircuit: (credentialName: string) => findCredential(credentialName).circuit.describe(),

    /** Revokes access tokens, for at most five seconds, and closes the connections. Never throws. */
    async close(): Promise<void> {
      const closed = Promise.all([...credentials.values()].map(async (credential) => credential.close?.()));
      const timeout = new Promise((resolve) => setTimeout(resolve, REVOCATION_TIMEOUT_MS).unref());
      await Promise.race([closed, timeout]);
      await sender.close();
    },
  };
}

function liveMigrations(orgId: string): string {
  return `/api/atlas/v2/orgs/${encodeURIComponent(orgId)}/liveMigrations`;
}

/** Unwraps an envelope. Any other response, such as an access token or a proxy's page, stays as it is. */
function unwrap(response: HttpResponse): HttpResponse {
  const parsed = envelopeSchema.safeParse(response.json);
  if (!parsed.success) return response;
  return { ...response, status: parsed.data.status, json: parsed.data.content ?? null };
}
