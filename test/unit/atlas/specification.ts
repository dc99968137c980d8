/*
 * The part of MongoDB's specification that describes what the client sends and the emulator serves, in a form of our own:
 * openapi/atlas-api-transformed.yaml of github.com/mongodb/atlas-sdk-go, 2026-08-12. The specification permits fields
 * that it does not name. Here a request has none, so that a misspelled field is found.
 */

const string = { type: 'string' };
const id = { type: 'string', pattern: '^([a-f0-9]{24})$' };
const arrayOf = (items: object) => ({ type: 'array', items });
const objectOf = (properties: object, required: string[] = []) => ({ type: 'object', required, properties });

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

export const MEDIA_TYPE = 'application/vnd.atlas.2023-01-01+json';

export const API_ERROR = objectOf(
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
export const OPERATIONS: Record<string, { request?: object; success: object }> = {
  'POST /api/atlas/v2/orgs/*/liveMigrations/linkTokens': {
    request: { ...addresses, additionalProperties: false },
    success: objectOf({ linkToken: string }, ['linkToken']),
  },
  'GET /api/atlas/v2/orgs/*/liveMigrations/availableProjects': { success: arrayOf(project) },
  'GET /api/atlas/v2/orgs': {
    success: objectOf({ results: arrayOf(organization), totalCount }, ['results']),
  },
};
