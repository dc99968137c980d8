import { readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { JSON_SCHEMAS, SCHEMAS_FOLDER } from '../../../dev/schemas';

const CREATED_AT = '2026-11-25T11:59:58.000Z';
const ORG_ID = '64f1c0ffee5eed0000000a71';
const TOKEN = {
  ...{ deliveryId: '0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59', orgId: ORG_ID, sourceOrgId: null },
  ...{ createdAt: CREATED_AT, tokenSha256: 'a'.repeat(64), requestedBy: 'Ada', changeReference: null },
};
const RECEIPT = {
  ...{ ...TOKEN, accessListIps: [], credential: 'default', warnings: [], unconfirmedTokens: 0 },
  ...{ sink: 'drop', location: 'file', deliveredAt: CREATED_AT, alsoTried: [] },
};
const EVENT = {
  ...{ type: 'link-token.created', timestamp: CREATED_AT },
  data: { ...TOKEN, linkToken: 'token', later: 1 },
};

/** One document of each, a property of it with a value that is not valid, and whether it may grow. */
const EXAMPLES: Record<string, [document: object, invalid: object, mayGrow: boolean]> = {
  'prepare-request.schema.json': [
    { orgId: ORG_ID, accessListIps: ['192.31.196.7'], sink: 'drop' },
    { orgId: ORG_ID.toUpperCase() },
    false,
  ],
  'receipt.schema.json': [RECEIPT, { deliveredAt: 'today' }, true],
  'failure-details.schema.json': [
    { status: 403, fields: [{ field: 'sink', description: 'is empty' }], unconfirmedTokens: 0 },
    { unconfirmedTokens: -1 },
    true,
  ],
  'link-token-created.schema.json': [EVENT, { type: 'link-token.removed' }, true],
};

interface Node {
  description?: string;
  properties?: Record<string, Node>;
  items?: Node;
}

/** Paths of all properties that say nothing about themselves. */
function undescribed({ properties = {}, items }: Node, at = ''): string[] {
  const within = Object.entries(properties).flatMap(([name, node]) => [
    ...(node.description ? [] : [`${at}.${name}`]),
    ...undescribed(node, `${at}.${name}`),
  ]);
  return items ? [...within, ...undescribed(items, `${at}[]`)] : within;
}

describe.each(Object.entries(JSON_SCHEMAS))('schemas/%s', (name, schema) => {
  it('is what the zod schema says', () => {
    const kept: unknown = JSON.parse(readFileSync(path.join(SCHEMAS_FOLDER, name), 'utf8'));
    expect(kept).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  it('has an id, a title, and a description of itself and of each property', () => {
    const text = expect.stringMatching(/./) as unknown;
    expect(schema).toMatchObject({ $id: expect.stringMatching(/^urn:/), title: text, description: text });
    expect(undescribed(schema as Node)).toEqual([]);
  });

  it('compiles in strict mode, with no other formats than those of ajv-formats, and decides', () => {
    const ajv = new Ajv({ strict: true, allowUnionTypes: true });
    addFormats(ajv);
    const validate = ajv.compile(schema);
    const [document, invalid, mayGrow] = EXAMPLES[name] ?? [];
    expect([validate(document), validate.errors]).toEqual([true, null]);
    expect(validate({ ...document, ...invalid })).toBe(false);
    expect(validate({ ...document, later: 1 })).toBe(mayGrow);
  });
});
