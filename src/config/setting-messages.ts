import { z } from 'zod';
import { looksLikeSecret } from '../secrets/read-secret';
import type { YamlFile } from './yaml-file';

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of settings',
  record: 'a map of settings',
};

const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'entries' };

/**
 * Says what is wrong with a setting and what to write, in place of zod's own English. A message in
 * the schema takes precedence.
 *
 * @returns undefined for an issue that a schema describes itself.
 */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const type = EXPECTED[issue.expected] ?? issue.expected;
      return issue.input === undefined ? `is missing: write ${type}` : `is not ${type}`;
    }
    case 'invalid_value':
      return `is not permitted: write ${issue.values.map(String).join(', or ')}`;
    case 'too_small': {
      const { origin, minimum } = issue;
      const unit = UNITS[origin];
      if (unit === undefined) return `is less than ${minimum}: raise it`;
      return Number(minimum) === 1 ? 'is empty' : `has fewer than ${minimum} ${unit}`;
    }
    case 'too_big': {
      const { origin, maximum } = issue;
      const unit = UNITS[origin];
      if (unit === undefined) return `is more than ${maximum}: lower it`;
      return `has more than ${maximum} ${unit}: shorten it`;
    }
    case 'invalid_format':
      return 'does not have the form of this setting';
    default:
      return undefined;
  }
}

/**
 * Lets these messages replace zod's own in every schema of this process, also in the schemas of the
 * sinks.
 */
export function installSettingMessages(): void {
  z.config({ customError: describeIssue });
}

/** Describes a problem of the settings, with its place in the file. */
export function describeProblem(
  issue: z.core.$ZodIssue,
  yaml: Pick<YamlFile, 'findPlace'>,
): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      if (looksLikeSecret(key)) {
        const remedy = 'write {env: NAME} or {file: PATH}, never the secret';
        return `${yaml.findPlace(issue.path)}: has a key that looks like a secret: ${remedy}`;
      }
      return `${yaml.findPlace([...issue.path, key])}: is not a setting: correct or remove it`;
    });
  }
  const issues = issue.code === 'invalid_key' ? issue.issues : [issue];
  return [`${yaml.findPlace(issue.path)}: ${issues.map(({ message }) => message).join('; ')}`];
}
