import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { failureDetailsSchema, prepareRequestSchema, receiptSchema } from '../src/contract/schemas';
import { linkTokenCreatedSchema } from '../src/sinks/webhook';

type OverrideContext = Parameters<NonNullable<z.core.ToJSONSchemaParams['override']>>[0];

export const SCHEMAS_FOLDER = path.join(__dirname, '..', 'schemas');

/**
 * The JSON Schemas that callers and receivers in other languages validate against, by file name.
 */
export const JSON_SCHEMAS = Object.fromEntries(
  Object.entries({
    'prepare-request': prepareRequestSchema,
    receipt: receiptSchema,
    'failure-details': failureDetailsSchema,
    'link-token-created': linkTokenCreatedSchema,
  }).map(([name, schema]) => [
    `${name}.schema.json`,
    { $id: `urn:live-migration-prep:${name}`, ...z.toJSONSchema(schema, { override }) },
  ]),
);

/**
 * Changes the schema of what is written, in which a field with a default is always present: a
 * reader must permit fields of later versions, unless the schema itself is strict.
 */
function override({ zodSchema, jsonSchema }: OverrideContext): void {
  delete jsonSchema.default;
  const isStrict = zodSchema instanceof z.ZodObject && zodSchema.def.catchall;
  if (!isStrict) delete jsonSchema.additionalProperties;
}

if (require.main === module) {
  for (const [name, schema] of Object.entries(JSON_SCHEMAS)) {
    writeFileSync(path.join(SCHEMAS_FOLDER, name), JSON.stringify(schema));
  }
}
