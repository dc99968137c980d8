import { readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { JSON_SCHEMAS, SCHEMAS_FOLDER } from '../../../dev/schemas';
import { codeBlocks, page } from '../../support/markdown';

const firstJson = (name: string) => JSON.parse(codeBlocks(page(name), 'json')[0] ?? '') as object;

const REQUEST = { orgId: '64f1c0ffee5eed0000000a71', accessListIps: ['192.31.196.7'], sink: 'drop' };
const RECEIPT = { ...firstJson('docs/contract.md'), tokenSha256: 'a'.repeat(64) };
const DETAILS = { status: 403, fields: [{ field: 'sink', description: 'is empty' }], unconfirmedTokens: 0 };

/** One document of each, a property of it with a value that is not valid, and whether it may grow. */
const EXAMPLES: Record<string, [document: object, invalid: object, mayGrow: boolean]> = {
  'prepare-request.schema.json': [REQUEST, { orgId: 'A'.repeat(24) }, false],
  'receipt.schema.json': [RECEIPT, { deliveredAt: 'today' }, true],
  'failure-details.schema.json': [DETAILS, { unconfirmedTokens: -1 }, true],
  'link-token-created.schema.json': [firstJson('docs/sinks/webhook.md'), { type: 'link-token.removed' }, true],
};

describe.each(Object.entries(JSON_SCHEMAS))('schemas/%s', (name, schema) => {
  it('is what the zod schema says', () => {
    const kept: unknown = JSON.parse(readFileSync(path.join(SCHEMAS_FOLDER, name), 'utf8'));
    expect(kept).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  it('has an id, a title, and a description of itself and of each property', () => {
    const text = expect.stringMatching(/./) as unknown;
    expect(schema).toMatchObject({ $id: expect.stringMatching(/^urn:/), title: text, description: text });
    JSON.stringify(schema, (key, value: Record<string, object>) => {
      if (key !== 'properties') return value;
      for (const property of Object.values(value)) expect(property).toMatchObject({ description: text });
      return value;
    });
  });

  it('compiles in strict mode with the formats of ajv-formats, and tells valid from invalid', () => {
    const ajv = new Ajv({ strict: true, allowUnionTypes: true });
    addFormats(ajv);
    const validate = ajv.compile(schema);
    const [document, invalid, mayGrow] = EXAMPLES[name] ?? [];
    expect([validate(document), validate.errors]).toEqual([true, null]);
    expect(validate({ ...document, ...invalid })).toBe(false);
    expect(validate({ ...document, later: 1 })).toBe(mayGrow);
  });
});
