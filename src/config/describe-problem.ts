import type { z } from 'zod';
import { looksLikeSecret } from '../secrets/read-secret';
import type { YamlFile } from './yaml-file';

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
