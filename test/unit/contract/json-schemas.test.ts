import { readFileSync } from 'node:fs';
import path from 'node:path';
import { JSON_SCHEMAS, SCHEMAS_FOLDER } from '../../../dev/schemas';

test.each(Object.entries(JSON_SCHEMAS))('schemas/%s is what the zod schema says', (name, schema) => {
  const kept: unknown = JSON.parse(readFileSync(path.join(SCHEMAS_FOLDER, name), 'utf8'));
  expect(kept).toEqual(JSON.parse(JSON.stringify(schema)));
});
