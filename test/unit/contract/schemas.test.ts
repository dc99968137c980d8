import { readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { z } from 'zod';
import { JSON_SCHEMAS, SCHEMAS_FOLDER } from '../../../dev/schemas';
import { MAX_ACCESS_LIST_ENTRIES } from '../../../src/contract/limits';
import * as schemas from '../../../src/contract/schemas';
import { validateFields } from '../../../src/requests/validate-fields';
import * as inputs from '../../../src/shared/activities';
import { linkTokenCreatedSchema } from '../../../src/sinks/webhook';
import { codeBlocks, page } from '../../support/markdown';
import { aRequest } from '../samples';

const firstJson = (name: string) => JSON.parse(codeBlocks(page(name), 'json')[0] ?? '') as object;

const RECEIPT = { ...firstJson('docs/contract.md'), tokenSha256: 'a'.repeat(64) };
const EVENT = firstJson('docs/sinks/webhook.md') as { data: object };
const DETAILS = {
  status: 403,
  fields: [{ field: 'sink', description: 'is empty' }],
  unconfirmedTokens: 0,
};

/**
 * One document of each, a property of it with a value that is not valid, and whether it may grow.
 */
const EXAMPLES: Record<string, [document: object, invalid: object, mayGrow: boolean]> = {
  'prepare-request.schema.json': [aRequest(), { orgId: 'A'.repeat(24) }, false],
  'receipt.schema.json': [RECEIPT, { deliveredAt: 'today' }, true],
  'failure-details.schema.json': [DETAILS, { unconfirmedTokens: -1 }, true],
  'link-token-created.schema.json': [EVENT, { type: 'link-token.removed' }, true],
};

function compile(schema: object) {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true });
  addFormats(ajv);
  return ajv.compile(schema);
}

describe.each(Object.entries(JSON_SCHEMAS))('schemas/%s', (name, schema) => {
  it('is what the zod schema says', () => {
    const schemaFile: unknown = JSON.parse(readFileSync(path.join(SCHEMAS_FOLDER, name), 'utf8'));
    expect(schemaFile).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  it('has an id, a title, and a description of itself and of each property', () => {
    const text = expect.stringMatching(/./) as unknown;
    expect(schema).toMatchObject({
      $id: expect.stringMatching(/^urn:/),
      title: text,
      description: text,
    });
    JSON.stringify(schema, (key, value: Record<string, object>) => {
      if (key !== 'properties') return value;
      for (const property of Object.values(value)) {
        expect(property).toMatchObject({ description: text });
      }
      return value;
    });
  });

  it('compiles in strict mode with the formats of ajv-formats, and tells valid from invalid', () => {
    const validate = compile(schema);
    const [document, invalid, mayGrow] = EXAMPLES[name] ?? [];
    expect([validate(document), validate.errors]).toEqual([true, null]);
    expect(validate({ ...document, ...invalid })).toBe(false);
    expect(validate({ ...document, later: 1 })).toBe(mayGrow);
  });
});

it.each<[name: string, what: string, facts: object, createDocument: (facts: object) => object]>([
  ['receipt', 'a receipt', RECEIPT, (receipt) => receipt],
  ['failure-details', 'a receipt', RECEIPT, (receipt) => ({ ...DETAILS, receipt })],
  ['link-token-created', 'an event', EVENT.data, (data) => ({ ...EVENT, data })],
])('schemas/%s.schema.json requires every field of %s', (name, _what, facts, createDocument) => {
  const validate = compile(JSON_SCHEMAS[`${name}.schema.json`] ?? {});
  const without = (field: string) => ({ ...facts, [field]: undefined });
  const optional = Object.keys(facts).filter((field) => validate(createDocument(without(field))));
  expect(validate(createDocument(facts))).toBe(true);
  expect(optional).toEqual([]);
});

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A pattern between anchors, without a repetition that has no upper limit. */
const BOUNDED_PATTERN = /^\^(?!.*\{\d+,\})(\([^*+]*\)|[^*+|]*)\$$/;

/**
 * Finds the places in a JSON Schema whose length has no bound. What it does not know counts as one.
 */
function findUnbounded(schema: JsonSchema, place = ''): string[] {
  const { type, anyOf, properties = {}, items, additionalProperties } = schema;
  const findIn = (parts: object) =>
    Object.entries(parts).flatMap(([name, part]) =>
      findUnbounded(part as JsonSchema, `${place}.${name}`),
    );
  const placeUnless = (isBounded: boolean) => (isBounded ? [] : [place]);
  if (anyOf) return findIn(anyOf);
  if (schema.enum ?? schema.const) return [];
  if (type === 'array') {
    return [...placeUnless(schema.maxItems !== undefined), ...findIn({ items })];
  }
  if (type === 'object') {
    return [...placeUnless(typeof additionalProperties !== 'object'), ...findIn(properties)];
  }
  if (type !== 'string') {
    return placeUnless(['number', 'integer', 'boolean', 'null'].includes(String(type)));
  }
  return placeUnless(schema.maxLength !== undefined || BOUNDED_PATTERN.test(schema.pattern ?? ''));
}

const unboundedIn = (schema: z.ZodType) => findUnbounded(z.toJSONSchema(schema, { io: 'input' }));

const exported = Object.entries({ ...schemas, ...inputs, linkTokenCreatedSchema }).flatMap(
  ([name, value]): [string, z.ZodType][] => (value instanceof z.ZodType ? [[name, value]] : []),
);

it.each(exported)('%s limits the length of every array and every string', (_name, schema) => {
  expect(unboundedIn(schema)).toEqual([]);
});

it.each<[what: string, schema: z.ZodType, places: string[]]>([
  ['a string', z.object({ a: z.string().nullish() }), ['.a']],
  ['a date-time', z.object({ a: z.iso.datetime() }), ['.a']],
  ['a string with a pattern', z.string().regex(/^a+$/), ['']],
  ['an array', z.array(z.uuid()), ['']],
  ['an entry', z.array(z.string().regex(/^a{2,}$/)).max(2), ['.items']],
  ['a record', z.record(z.uuid(), z.null()), ['']],
  ['anything', z.object({ a: z.unknown() }), ['.a']],
])('a schema in which %s has no maximum length is found', (_what, schema, places) => {
  expect(unboundedIn(schema)).toEqual(places);
});

it('the longest access list with every warning is a valid request', () => {
  const wide = ['8.0.0.0/8', '2a00::/20', '8.0.0.0/8', '2a00::/20'];
  const entries = Array.from(
    { length: MAX_ACCESS_LIST_ENTRIES - wide.length },
    (_, index) => `2a00:ffff:ffff:ffff:ffff:ffff:ffff:${(0x1000 + index).toString(16)}/128`,
  );
  const { request } = validateFields(aRequest({ accessListIps: [...wide, ...entries] }));
  expect(request?.warnings).toHaveLength(2);
  expect(
    schemas.validRequestSchema.safeParse({ ...request, credential: 'default' }).error,
  ).toBeUndefined();
});

const NOTHING = {
  step: null,
  sink: null,
  deliveryId: null,
  publicApiKey: null,
  unconfirmedTokens: 0,
  failure: null,
  nextAttemptAt: null,
};
const FOREIGN = {
  step: 7,
  sink: {},
  deliveryId: 'x',
  publicApiKey: '00000000-e3a1-4a7a-8a5e-0000000a7145',
  unconfirmedTokens: -1,
  failure: { type: 'SinkRejected', message: 'x'.repeat(1001) },
  nextAttemptAt: 'soon',
  other: 1,
};

it.each([
  ['a missing memo', undefined],
  ['an empty memo', {}],
  ['a malformed memo', FOREIGN],
])('%s counts as a memo without facts', (_what, memo) => {
  expect(schemas.readMemo(memo)).toEqual(NOTHING);
});

it('the memo of an undelivered run is read', () => {
  const deliveryId = '0b3ff6a0-95cc-4c2a-a4c1-8a2a5b2b1a52';
  const memo = {
    step: 'undelivered',
    sink: 'drop',
    deliveryId,
    publicApiKey: 'abcdefgh',
    unconfirmedTokens: 2,
    failure: { type: 'SinkRejected', message: 'it is full' },
    nextAttemptAt: '2026-11-29T12:05:00.000Z',
  };
  expect(schemas.readMemo(memo)).toEqual(memo);
});
