import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { prepareRequestSchema, receiptSchema } from '../src/contract/schemas';

export const SCHEMAS_FOLDER = path.join(__dirname, '..', 'schemas');

/** The JSON Schemas that callers in other languages validate against, by file name. */
export const JSON_SCHEMAS = {
  'prepare-request.schema.json': z.toJSONSchema(prepareRequestSchema, { io: 'input' }),
  'receipt.schema.json': z.toJSONSchema(receiptSchema),
};

if (require.main === module) {
  for (const [name, schema] of Object.entries(JSON_SCHEMAS)) {
    writeFileSync(path.join(SCHEMAS_FOLDER, name), JSON.stringify(schema));
  }
}
