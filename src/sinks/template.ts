import { z } from 'zod';
import { SinkRejectedError, type Delivery } from './sink';

const NAMES = ['orgId', 'sourceOrgId', 'deliveryId'] as const;
type Name = (typeof NAMES)[number];

/** A place in a sink that depends on the delivery. */
export interface Template {
  uses(name: Name): boolean;
  /** @throws SinkRejectedError when the delivery lacks what the template names. */
  fill(delivery: Delivery): string;
}

/** What may stand between the names, beside letters and digits: each sink's own rule. */
interface Rule {
  characters: RegExp;
  charactersInWords: string;
}

export const PATH_RULE: Rule = { characters: /^[\w./-]+$/, charactersInWords: 'letters, digits and . _ - /' };
/** Of AWS Secrets Manager, from the CreateSecret reference of its API. */
export const SECRET_NAME_RULE: Rule = {
  characters: /^[\w/+=.@-]+$/,
  charactersInWords: 'letters, digits and / _ + = . @ -',
};

const LEAVES_ROOT =
  'leaves its root: write it without an empty segment, ".", ".." and a "/" at its start or end';

/**
 * Schema of a path with `{orgId}`, `{sourceOrgId}` and `{deliveryId}` in it. What fills them are hexadecimal digits and
 * hyphens, so a template that stays below its root stays there filled.
 */
export function templateSchema({ characters, charactersInWords }: Rule) {
  return z
    .string('write a template, such as live-migration/{orgId}')
    .transform((template, issues): Template => {
      const problems = problemsOf(template, characters, charactersInWords);
      problems.forEach((problem) => issues.addIssue(problem));
      return problems.length > 0 ? z.NEVER : createTemplate(template);
    });
}

/** Schema of a path without names to fill in. */
export const plainPath = z
  .string()
  .regex(PATH_RULE.characters, `holds other characters than ${PATH_RULE.charactersInWords}`)
  .refine((path) => !leavesRoot(path), LEAVES_ROOT);

function problemsOf(template: string, characters: RegExp, charactersInWords: string): string[] {
  const names = [...template.matchAll(/\{([^{}]*)\}/g)].map(([, name]) => name ?? '');
  const unknown = names.filter((name) => !(NAMES as readonly string[]).includes(name));
  const filled = template.replace(/\{[^{}]*\}/g, 'x');
  const checks: [boolean, string][] = [
    [unknown.length > 0, `names {${unknown.join('}, {')}}: only {${NAMES.join('}, {')}} can be filled in`],
    [!characters.test(filled), `holds other characters than ${charactersInWords}`],
    [leavesRoot(filled), LEAVES_ROOT],
    [names.length === 0, 'is the same for every token: name {orgId}, {sourceOrgId} or {deliveryId} in it'],
  ];
  return checks.filter(([broken]) => broken).map(([, problem]) => problem);
}

function leavesRoot(path: string): boolean {
  return path.split('/').some((segment) => ['', '.', '..'].includes(segment));
}

function createTemplate(template: string): Template {
  return {
    uses: (name) => template.includes(`{${name}}`),
    fill: (delivery) =>
      NAMES.reduce((filled, name) => {
        const slot = `{${name}}`;
        if (!filled.includes(slot)) return filled;
        const value = delivery[name];
        if (value === null) throw lacks(template);
        return filled.replaceAll(slot, value);
      }, template),
  };
}

function lacks(template: string): SinkRejectedError {
  return new SinkRejectedError(
    `the sink's template ${template} names {sourceOrgId}, and the request named no source organization: redeliver to a sink without it, and name sourceOrgId next time`,
  );
}
