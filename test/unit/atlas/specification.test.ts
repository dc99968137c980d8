import Ajv from 'ajv/dist/2020';
import { DEFAULTS, startAtlasEmulator, type SeedInput } from '../../../dev/atlas-emulator';
import { createAdminApi } from '../../../src/atlas/admin-api';
import { cloudManagerSink } from '../../../src/sinks/cloud-manager';
import type { Delivery } from '../../../src/sinks/sink';
import { closeLater } from '../../support/clean-up';
import { serveHttp } from '../../support/servers';

/*
 * The part of MongoDB's specification that describes what the client sends and the emulator serves,
 * in a form of our own: openapi/atlas-api-transformed.yaml of github.com/mongodb/atlas-sdk-go,
 * 2026-08-12. The specification permits fields that it does not name. Here a request has none, so
 * that a misspelled field is found.
 */

const string = { type: 'string' };
const id = { type: 'string', pattern: '^([a-f0-9]{24})$' };
const arrayOf = (items: object) => ({ type: 'array', items });
const objectOf = (properties: object, required: string[] = []) => ({
  type: 'object',
  required,
  properties,
});

const addresses = objectOf({ accessListIps: arrayOf(string) });
const name = { type: 'string', pattern: "^[\\p{L}\\p{N}\\-_.(),:&@+']{1,64}$" };
const organization = objectOf({ id, name, isDeleted: { type: 'boolean' } }, ['name']);
const totalCount = { type: 'integer', minimum: 0 };
const project = objectOf(
  {
    deployments: arrayOf({ type: 'object' }),
    migrationHosts: arrayOf(string),
    name: { type: 'string', minLength: 1, maxLength: 64 },
    projectId: id,
  },
  ['deployments', 'migrationHosts', 'name', 'projectId'],
);
const violation = objectOf({ description: string, field: string }, ['description', 'field']);

const MEDIA_TYPE = 'application/vnd.atlas.2023-01-01+json';

const API_ERROR = objectOf(
  {
    badRequestDetail: objectOf({ fields: arrayOf(violation) }),
    detail: string,
    error: { type: 'integer' },
    errorCode: string,
    parameters: { type: 'array' },
    reason: string,
  },
  ['error', 'errorCode'],
);

/** Bodies of each method and path, in which `*` stands for the organization. */
const OPERATIONS: Record<string, { request?: object; success: object }> = {
  'POST /api/atlas/v2/orgs/*/liveMigrations/linkTokens': {
    request: { ...addresses, additionalProperties: false },
    success: objectOf({ linkToken: string }, ['linkToken']),
  },
  'GET /api/atlas/v2/orgs/*/liveMigrations/availableProjects': { success: arrayOf(project) },
  'GET /api/atlas/v2/orgs': {
    success: objectOf({ results: arrayOf(organization), totalCount }, ['results']),
  },
};

const { orgId: ORG, sourceOrgId, apiKey, sourceApiKey } = DEFAULTS;
const { signal } = new AbortController();
const ajv = new Ajv({ strict: true });

const VALID = {
  operation: 'POST /api/atlas/v2/orgs/*/liveMigrations/linkTokens',
  sent: { accept: MEDIA_TYPE, type: MEDIA_TYPE, body: '{}' },
  served: { status: 201, type: `${MEDIA_TYPE};charset=utf-8`, body: '{"linkToken":"x"}' },
};
type Exchange = typeof VALID;

/** Finds the parts of an exchange that break the specification. */
function findViolations({ operation, sent, served }: Exchange): string[] {
  const { request, success } = OPERATIONS[operation] ?? {};
  const [type, schema] =
    served.status < 300 ? [MEDIA_TYPE, success] : ['application/json', API_ERROR];
  const fits = (body: object | undefined, text: string) =>
    ajv.validate(body ?? false, JSON.parse(text));
  const parts = {
    accept: sent.accept === MEDIA_TYPE,
    requestType: !request || sent.type === MEDIA_TYPE,
    request: !request || fits(request, sent.body),
    responseType: served.type.split(';')[0] === type,
    response: fits(schema, served.body),
  };
  return Object.entries(parts).flatMap(([part, isValid]) => (isValid ? [] : part));
}

const withKey = ({ publicKey, privateKey }: typeof apiKey) => ({
  publicKey: { source: 'the test', read: () => publicKey },
  privateKey: { source: 'the test', read: () => privateKey },
});

/** Creates a client of an emulator, and records what they send to each other. */
async function start(seed: SeedInput = {}) {
  const emulator = closeLater(await startAtlasEmulator({ seed }));
  const exchanges: Exchange[] = [];
  const forward = async (
    method: string,
    url: string,
    body: string,
    headers: Record<string, string>,
  ) => {
    const { accept = '', authorization = '', 'content-type': type = '' } = headers;
    const response = await fetch(emulator.url + url, {
      method,
      headers: { accept, authorization, 'content-type': type },
      // A GET may have no body, not even an empty one.
      body: body || null,
    });
    const { status } = response;
    const served = {
      status,
      type: response.headers.get('content-type') ?? '',
      body: await response.text(),
    };
    const operation = `${method} ${url.replace(/\?.*/, '').replace(/[a-f0-9]{24}/, '*')}`;
    exchanges.push({ operation, sent: { accept, type, body }, served });
    return { ...served, headers: Object.fromEntries(response.headers) };
  };
  const proxy = await serveHttp(({ method = '', url = '', headers, text }, response) => {
    void forward(method, url, text, headers as Record<string, string>).then((served) =>
      response.writeHead(served.status, served.headers).end(served.body),
    );
  });
  const atlas = closeLater(
    createAdminApi({
      baseUrl: proxy.url,
      requestTimeoutMs: 60_000,
      envelope: false,
      pretty: false,
      backoff: { initialIntervalMs: 0, maximumIntervalMs: 0 },
      credentials: new Map([['default', { type: 'apiKey', ...withKey(apiKey) }]]),
    }),
  );
  const create = (addresses: string[]) => atlas.createLinkToken(ORG, addresses, 'default');
  return { atlas, create, emulator, exchanges };
}

it("what a worker sends, and what the emulator serves, fits MongoDB's specification", async () => {
  const { atlas, create, emulator, exchanges } = await start();
  const linkToken = await create(['192.31.196.7']);
  // A linked source has projects.
  const link = await cloudManagerSink.create({
    baseUrl: new URL(emulator.url),
    allowHttp: true,
    sources: new Map([[sourceOrgId, { orgId: ORG, ...withKey(sourceApiKey) }]]),
    syncTimeoutMs: 0,
    pollIntervalMs: 100,
    timeoutMs: 60_000,
  });
  await link.deliver({ sourceOrgId, linkToken } as Delivery, signal);
  expect(await atlas.isLinked(ORG, 'default')).toBe(true);
  expect(await atlas.visibleOrganizations('default')).toEqual([ORG]);
  expect(new Set(exchanges.map(({ operation }) => operation))).toEqual(
    new Set(Object.keys(OPERATIONS)),
  );
  expect(exchanges.flatMap(findViolations)).toEqual([]);
});

it.each<[status: number, errorCode: string, seed: SeedInput]>([
  [400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION', {}],
  [401, 'NOT_ORG_OWNER', { apiKeys: [{ ...apiKey, orgId: ORG, roles: [] }] }],
  [410, 'VERSION_GONE', { settings: { withdrawnVersions: ['2023-01-01'] } }],
  [
    429,
    'RATE_LIMITED_TOKEN_BUCKET',
    { settings: { rateLimit: { capacity: 1, refillPerMinute: 0.001 } } },
  ],
])('the emulator serves a %d %s that fits the specification', async (status, errorCode, seed) => {
  const { create, exchanges } = await start(seed);
  for (const address of ['192.31.196.7', 'x']) await create([address]).catch(() => undefined);
  const { served } = exchanges.at(-1) ?? VALID;
  expect(served).toMatchObject({ status, body: expect.stringContaining(`"${errorCode}"`) });
  expect(exchanges.flatMap(findViolations)).toEqual([]);
});

const NO_ERROR_CODE = {
  status: 404,
  type: 'application/json',
  body: '{"error":404,"errorCode":null}',
};

it.each<[what: string, part: string, change: Partial<Exchange>]>([
  [
    'an access list that is a string',
    'request',
    { sent: { ...VALID.sent, body: '{"accessListIps":"x"}' } },
  ],
  ['a misspelled field', 'request', { sent: { ...VALID.sent, body: '{"accessListIPs":[]}' } }],
  ['another media type', 'accept', { sent: { ...VALID.sent, accept: 'application/json' } }],
  ['a token that is null', 'response', { served: { ...VALID.served, body: '{"linkToken":null}' } }],
  ['an error without a code', 'response', { served: NO_ERROR_CODE }],
])('%s breaks the specification', (_what, part, change) => {
  expect([findViolations(VALID), findViolations({ ...VALID, ...change })]).toEqual([[], [part]]);
});
