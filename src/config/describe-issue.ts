import type { z } from 'zod';

const KINDS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a mapping',
  record: 'a mapping',
  string: 'a string',
};

/**
 * Says what is wrong and what to write instead, where a schema has no message of its own: the option `error` of
 * `safeParse`.
 *
 * @returns undefined for an issue that it does not know, which then has zod's message.
 */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const kind = KINDS[issue.expected] ?? issue.expected;
      return issue.input === undefined ? `is missing: write ${kind}` : `is not ${kind}: write one`;
    }
    case 'too_small':
      if (issue.origin !== 'number' && issue.origin !== 'int') return 'is empty: write a value';
      return `is too small: write ${issue.inclusive ? `${issue.minimum} or more` : `more than ${issue.minimum}`}`;
    case 'too_big':
      if (issue.origin === 'string') return `is too long: write at most ${issue.maximum} characters`;
      if (issue.origin === 'array') return `is too long: write at most ${issue.maximum} entries`;
      return `is too large: write ${issue.maximum} or less`;
    case 'invalid_value':
      return `write one of ${issue.values.join(', ')}`;
    default:
      return undefined;
  }
}
