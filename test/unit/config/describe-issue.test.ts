import { z } from 'zod';
import { describeIssue } from '../../../src/config/describe-issue';

it.each<[schema: z.ZodType, input: unknown, message: string]>([
  [z.string(), 5, 'is not a string: write one'],
  [z.int(), 1.5, 'is not a whole number: write one'],
  [z.object({}), [], 'is not a mapping: write one'],
  [z.boolean(), undefined, 'is missing: write true or false'],
  [z.int().min(3), 2, 'is too small: write 3 or more'],
  [z.number().positive(), 0, 'is too small: write more than 0'],
  [z.int().max(3), 4, 'is too large: write 3 or less'],
  [z.string().min(1), '', 'is empty: write a value'],
  [z.string().max(3), 'four', 'is too long: write at most 3 characters'],
  [z.array(z.int()).max(1), [1, 2], 'is too long: write at most 1 entries'],
  [z.enum(['a', 'b']), 'c', 'write one of a, b'],
])('says what to write instead (%#)', (schema, input, message) => {
  expect(schema.safeParse(input, { error: describeIssue }).error?.issues).toMatchObject([{ message }]);
});
