import { z } from 'zod';
import * as inputs from '../../../src/activities/inputs';
import { MAX_ACCESS_LIST_ENTRIES } from '../../../src/contract/limits';
import * as memo from '../../../src/contract/memo';
import * as schemas from '../../../src/contract/schemas';
import { validateFields } from '../../../src/requests/validate-fields';
import { linkTokenCreatedSchema } from '../../../src/sinks/webhook';

const ORG = '64f1c0ffee5eed0000000a71';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A pattern between anchors, without a repetition that has no upper limit. */
const BOUNDED_PATTERN = /^\^(?!.*\{\d+,\})(\([^*+]*\)|[^*+|]*)\$$/;

/** Finds the places in a JSON Schema whose length has no bound. What it does not know counts as one. */
function findUnbounded(schema: JsonSchema, place = ''): string[] {
  const { type, anyOf, properties = {}, items, additionalProperties } = schema;
  const findIn = (parts: object) =>
    Object.entries(parts).flatMap(([name, part]) => findUnbounded(part as JsonSchema, `${place}.${name}`));
  const found = (isBounded: boolean) => (isBounded ? [] : [place]);
  if (anyOf) return findIn(anyOf);
  if (schema.enum ?? schema.const) return [];
  if (type === 'array') return [...found(schema.maxItems !== undefined), ...findIn({ items })];
  if (type === 'object') return [...found(typeof additionalProperties !== 'object'), ...findIn(properties)];
  if (type !== 'string') return found(['number', 'integer', 'boolean', 'null'].includes(String(type)));
  return found(schema.maxLength !== undefined || BOUNDED_PATTERN.test(schema.pattern ?? ''));
}

const unboundedIn = (schema: z.ZodType) => findUnbounded(z.toJSONSchema(schema, { io: 'input' }));

const exported = Object.entries({ ...schemas, ...inputs, ...memo, linkTokenCreatedSchema }).flatMap(
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

it('the longest access list, with every kind of warning, stays within the bounds of a valid request', () => {
  const wide = ['8.0.0.0/8', '2a00::/20', '8.0.0.0/8', '2a00::/20'];
  const entries = Array.from(
    { length: MAX_ACCESS_LIST_ENTRIES - wide.length },
    (_, index) => `2a00:ffff:ffff:ffff:ffff:ffff:ffff:${(0x1000 + index).toString(16)}/128`,
  );
  const { request } = validateFields({ orgId: ORG, accessListIps: [...wide, ...entries], sink: 'drop' });
  expect(request?.warnings).toHaveLength(2);
  expect(schemas.validRequestSchema.safeParse({ ...request, credential: 'default' }).error).toBeUndefined();
});
