import { z } from 'zod';
import { LINK_TOKEN_KEY } from '../contract/formats';
import { createDigest } from '../http/digest';
import { firstEntries, isSuccess } from '../http/response';
import type { Backoff } from '../shared/activities';
import { createCircuitBreakers } from './circuit-breaker';
import type { AtlasRequest, Credential, CredentialConfig } from './credential';
import {
  credentialNotConfigured,
  notALinkTokensKey,
  notListedYet,
  responseError,
} from './outcomes';
import { createServiceAccount } from './service-account';
import { createTransport, type TransportOptions } from './transport';

/** The published version of the operation; Atlas resolves a later date to it. */
const MEDIA_TYPE = 'application/vnd.atlas.2023-01-01+json';

const createdSchema = z.object({ linkToken: z.string().min(1) });
const MAX_ORGANIZATIONS = 500;
const organizationsSchema = z.object({
  results: firstEntries(z.object({ id: z.string() }), MAX_ORGANIZATIONS),
});
const projectsSchema = z.array(z.unknown());

const KEYS_PER_PAGE = 500;
/** A bound for a server that returns the same page again and again. */
const MAX_KEY_PAGES = 100;
const apiKeySchema = z.object({
  id: z.string(),
  publicKey: z.string().optional(),
  desc: z.string().optional(),
});
const apiKeysSchema = z.object({
  results: firstEntries(apiKeySchema, KEYS_PER_PAGE),
  totalCount: z.int().optional(),
});

type ApiKey = z.output<typeof apiKeySchema>;

/** What became of the API key of a link-token; `keyId` is null for one that was gone before. */
export type Deletion = { outcome: 'deleted'; keyId: string } | { outcome: 'gone'; keyId: null };

export interface AdminApiOptions extends TransportOptions {
  pretty: boolean;
  credentials: ReadonlyMap<string, CredentialConfig>;
  /** Interval between the probes of an open circuit. */
  backoff: Backoff;
}

export type AdminApi = ReturnType<typeof createAdminApi>;

/** Creates a client for the used part of the Atlas Administration API. Each call is one attempt. */
export function createAdminApi(options: AdminApiOptions) {
  const transport = createTransport(options);
  const query = formatFlags(options);
  const accesses = createAccesses(options, transport);

  function findAccess(name: string): Access {
    const access = accesses.get(name);
    if (!access) throw credentialNotConfigured(name);
    return access;
  }

  async function read<Content extends z.ZodType>(
    credentialName: string,
    request: Pick<AtlasRequest, 'endpoint' | 'path' | 'followsSuccess'>,
    content: Content,
  ): Promise<z.output<Content>> {
    const headers = { Accept: MEDIA_TYPE };
    const { credential } = findAccess(credentialName);
    const response = await credential.send({ ...request, method: 'GET', headers });
    const parsed = response.status === 200 ? content.safeParse(response.json) : null;
    if (!parsed?.success) throw responseError(request.endpoint, credentialName, response);
    return parsed.data;
  }

  function readProjects(
    orgId: string,
    credentialName: string,
    followsSuccess = false,
  ): Promise<unknown[]> {
    const path = `${liveMigrations(orgId)}/availableProjects`;
    return read(
      credentialName,
      { endpoint: 'availableProjects', path, followsSuccess },
      projectsSchema,
    );
  }

  /**
   * Finds the API keys of an organization that have this public key, on all pages. A key that is
   * deleted meanwhile moves those after it to an earlier page, so then the search says nothing.
   */
  async function findKeys(
    orgId: string,
    publicApiKey: string,
    credentialName: string,
  ): Promise<ApiKey[]> {
    const found: ApiKey[] = [];
    let firstCount: number | undefined;
    for (let page = 1; page <= MAX_KEY_PAGES; page += 1) {
      const path = `${apiKeys(orgId)}?itemsPerPage=${KEYS_PER_PAGE}&pageNum=${page}`;
      const { results, totalCount } = await read(
        credentialName,
        { endpoint: 'apiKeys', path },
        apiKeysSchema,
      );
      found.push(...results.filter(({ publicKey }) => publicKey === publicApiKey));
      if (page === 1) firstCount = totalCount;
      if (results.length < KEYS_PER_PAGE) {
        if (totalCount === firstCount || found.length > 0) return found;
        throw notListedYet('the list of API keys in Atlas changed while it was read');
      }
    }
    throw notListedYet(`Atlas lists more than ${MAX_KEY_PAGES * KEYS_PER_PAGE} API keys`);
  }

  return {
    /**
     * Deletes the API key that a link-token embeds, and so makes the token worthless. It deletes no
     * key that Atlas describes otherwise, whatever the caller says. A repetition finds it gone.
     *
     * @throws AtlasError, SecretUnavailableError
     */
    async deleteLinkTokenKey(
      orgId: string,
      publicApiKey: string,
      credentialName: string,
    ): Promise<Deletion> {
      const keys = await findKeys(orgId, publicApiKey, credentialName);
      const other = keys.find(({ desc = '' }) => !LINK_TOKEN_KEY.test(desc));
      if (other) throw notALinkTokensKey(publicApiKey, other);
      let deletion: Deletion = { outcome: 'gone', keyId: null };
      for (const { id } of keys) {
        const { credential } = findAccess(credentialName);
        const response = await credential.send({
          endpoint: 'deleteApiKey',
          method: 'DELETE',
          path: `${apiKeys(orgId)}/${encodeURIComponent(id)}`,
          headers: { Accept: MEDIA_TYPE },
        });
        if (isSuccess(response)) deletion = { outcome: 'deleted', keyId: id };
        else if (response.status !== 404) {
          throw responseError('deleteApiKey', credentialName, response);
        }
      }
      return deletion;
    },

    /**
     * Creates one link-token: one POST, no retry. It is not idempotent: each success is a new
     * credential.
     *
     * @throws AtlasError, SecretUnavailableError
     */
    async createLinkToken(
      orgId: string,
      accessListIps: readonly string[],
      credentialName: string,
    ): Promise<string> {
      const { credential, circuit } = findAccess(credentialName);
      return circuit.run(async () => {
        const response = await credential.send({
          endpoint: 'linkTokens',
          method: 'POST',
          path: `${liveMigrations(orgId)}/linkTokens${query}`,
          headers: { Accept: MEDIA_TYPE, 'Content-Type': MEDIA_TYPE },
          body: JSON.stringify({ accessListIps }),
        });
        // Any 2xx with a token is a success: the published page says 200, and Atlas was recorded
        // with 201.
        const parsed = createdSchema.safeParse(response.json);
        if (!isSuccess(response) || !parsed.success) {
          throw responseError('linkTokens', credentialName, response);
        }
        return parsed.data.linkToken;
      });
    },

    /**
     * Lists the organizations that a credential can see, for checks. Creates nothing.
     *
     * @returns the first 500 organization ids; a credential belongs to one organization.
     * @throws AtlasError, SecretUnavailableError
     */
    async visibleOrganizations(credentialName: string): Promise<string[]> {
      const path = `/api/atlas/v2/orgs?itemsPerPage=${MAX_ORGANIZATIONS}`;
      const { results } = await read(
        credentialName,
        { endpoint: 'orgs', path },
        organizationsSchema,
      );
      return results.map(({ id }) => id);
    },

    /**
     * Makes a call that requires the role of creating a link-token, and creates nothing. Another
     * call with the credential must have succeeded just before.
     *
     * @throws AtlasError, SecretUnavailableError
     */
    async requireOwnerRole(orgId: string, credentialName: string): Promise<void> {
      await readProjects(orgId, credentialName, true);
    },

    /**
     * Checks whether a source is linked: Atlas lists projects that only a linked source can supply.
     * It does not say which source organization they belong to.
     *
     * @see https://www.mongodb.com/docs/api/doc/atlas-admin-api-v2/ (Cloud Migration Service)
     * @throws AtlasError, SecretUnavailableError
     */
    async isLinked(orgId: string, credentialName: string): Promise<boolean> {
      const projects = await readProjects(orgId, credentialName);
      return projects.length > 0;
    },

    /**
     * Describes in a clause why this process holds back the link-token requests of a credential,
     * and until when; null while it does not.
     *
     * @throws AtlasError when the credential is not configured.
     */
    describeOpenCircuit: (credentialName: string) => findAccess(credentialName).circuit.describe(),

    /** Closes the connections. Access tokens expire by themselves. */
    close: () => transport.close(),
  };
}

function apiKeys(orgId: string): string {
  return `/api/atlas/v2/orgs/${encodeURIComponent(orgId)}/apiKeys`;
}

function liveMigrations(orgId: string): string {
  return `/api/atlas/v2/orgs/${encodeURIComponent(orgId)}/liveMigrations`;
}

/** A credential, with what holds its link-token requests back. */
interface Access {
  credential: Credential;
  circuit: ReturnType<ReturnType<typeof createCircuitBreakers>>;
}

type Transport = ReturnType<typeof createTransport>;

function createAccesses(
  { credentials, backoff }: AdminApiOptions,
  transport: Transport,
): ReadonlyMap<string, Access> {
  const circuitFor = createCircuitBreakers(backoff);
  const accesses = new Map<string, Access>();
  for (const [name, config] of credentials) {
    const credential = createCredential(name, config, transport);
    accesses.set(name, { credential, circuit: circuitFor(name) });
  }
  return accesses;
}

function createCredential(
  name: string,
  config: CredentialConfig,
  transport: Transport,
): Credential {
  const { send } = transport;
  if (config.type === 'serviceAccount') return createServiceAccount(name, config, send);
  const withDigest = createDigest(config.publicKey, config.privateKey);
  return {
    send: (request) =>
      withDigest({ ...request, uri: request.path }, (headers) => send({ ...request, headers })),
  };
}

/** @returns such as `?envelope=true`; empty without a flag. */
function formatFlags(flags: Pick<AdminApiOptions, 'envelope' | 'pretty'>): string {
  const names = (['envelope', 'pretty'] as const).filter((name) => flags[name]);
  if (names.length === 0) return '';
  return `?${names.map((name) => `${name}=true`).join('&')}`;
}
