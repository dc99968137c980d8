import { z } from 'zod';
import { SinkRejectedError, type CheckTarget, type Delivery } from '../sink';

/** The ids that a template can name. */
const ID_FIELDS = ['orgId', 'sourceOrgId', 'deliveryId'] as const;
type IdField = (typeof ID_FIELDS)[number];
type Ids = Pick<Delivery, IdField>;

/** Characters that a store permits around the placeholders. */
interface Rule {
  characters: RegExp;
  /** The same for a message. */
  description: string;
}

export const PATH_RULE: Rule = { characters: /^[\w./-]+$/, description: 'letters, digits and . _ - /' };

/** From the reference of CreateSecret in the API of AWS Secrets Manager. */
export const SECRET_NAME_RULE: Rule = {
  characters: /^[\w/+=.@-]+$/,
  description: 'letters, digits and / _ + = . @ -',
};

const LEAVES_ROOT = 'leaves its root: use no empty segment, no "." or "..", and no "/" at its start or end';

/**
 * Schema of a path with the placeholders `{orgId}`, `{sourceOrgId}` and `{deliveryId}`. Ids consist of hexadecimal
 * digits and hyphens, so a template that stays below its root stays there when it is filled.
 */
export function templateSchema(rule: Rule) {
  return z
    .string('write a template, such as live-migration/{orgId}')
    .superRefine((template, issues) => {
      for (const problem of problemsOf(template, rule)) issues.addIssue(problem);
    })
    .transform(createTemplate);
}

/** Schema of a path without placeholders. */
export const plainPath = z
  .string()
  .regex(PATH_RULE.characters, `contains characters other than ${PATH_RULE.description}`)
  .refine((path) => !leavesRoot(path), LEAVES_ROOT);

const PLACEHOLDER = /\{([^{}]*)\}/g;

function problemsOf(template: string, { characters, description }: Rule): string[] {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name]) => name ?? '');
  const unknown = names.filter((name) => !(ID_FIELDS as readonly string[]).includes(name));
  const filled = template.replace(PLACEHOLDER, 'x');
  const known = `{${ID_FIELDS.join('}, {')}}`;
  const checks: [isProblem: boolean, problem: string][] = [
    [unknown.length > 0, `names {${unknown.join('}, {')}}: the placeholders are ${known}`],
    [!characters.test(filled), `contains characters other than ${description}`],
    [leavesRoot(filled), LEAVES_ROOT],
    [names.length === 0, `is the same for every token: add one of ${known}`],
  ];
  return checks.flatMap(([isProblem, problem]) => (isProblem ? [problem] : []));
}

function leavesRoot(path: string): boolean {
  return path.split('/').some((segment) => ['', '.', '..'].includes(segment));
}

/** A path or a name that depends on the delivery. */
function createTemplate(template: string) {
  return {
    uses: (field: IdField) => template.includes(`{${field}}`),
    /** @throws SinkRejectedError when the template names the source organization and there is none. */
    fill: (ids: Ids) =>
      template.replace(PLACEHOLDER, (_placeholder, field: IdField) => {
        const id = ids[field];
        if (id !== null) return id;
        throw new SinkRejectedError(
          `the template ${template} of the sink needs {sourceOrgId}, and the request named no source organization: redeliver to a sink without it, and name sourceOrgId next time`,
        );
      }),
  };
}

/** Ids to fill a template with for a check, which delivers nothing: zeros for those that are not known. */
export function completeIds(target: CheckTarget | null): Ids {
  const unknown = '0'.repeat(24);
  return {
    ...(target ?? { orgId: unknown, sourceOrgId: unknown }),
    deliveryId: '00000000-0000-0000-0000-000000000000',
  };
}
