import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { failureDetailsSchema, prepareRequestSchema, receiptSchema } from '../src/contract/schemas';
import { linkTokenCreatedSchema } from '../src/sinks/webhook';

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
    // Of what is read, since a schema of what is written permits no field that a later version
    // adds.
    { $id: `urn:live-migration-prep:${name}`, ...z.toJSONSchema(schema, { io: 'input' }) },
  ]),
);

if (require.main === module) {
  for (const [name, schema] of Object.entries(JSON_SCHEMAS)) {
    writeFileSync(path.join(SCHEMAS_FOLDER, name), JSON.stringify(schema));
  }
}
