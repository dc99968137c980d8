import { z } from 'zod';
import type { Pair } from '../../contract/workflow-id';
import type { Delivery } from '../sink';

const ID_FIELDS = ['orgId', 'sourceOrgId', 'deliveryId'] as const;
type IdField = (typeof ID_FIELDS)[number];
type Ids = Pick<Delivery, IdField>;

/** Characters that AWS permits in the name of a secret, and Vault in a path. */
const PERMITTED = /^[\w/+=.@-]+$/;
const NOT_PERMITTED = 'contains characters other than letters, digits and / _ + = . @ -';
const LEAVES_ROOT =
  'is not a path below its root: write no "//", "." or "..", and no "/" at its start or end';

const PLACEHOLDER = /\{([^{}]*)\}/g;
const PLACEHOLDERS = ID_FIELDS.map((field) => `{${field}}`);

/**
 * Ids consist of hexadecimal digits and hyphens, so a template that stays below its root stays
 * there when filled.
 */
export const templateSchema = z
  .string('write a template, such as live-migration/{orgId}')
  .superRefine((template, issues) => {
    const placeholders = template.match(PLACEHOLDER) ?? [];
    const unknown = placeholders.filter((placeholder) => !PLACEHOLDERS.includes(placeholder));
    const filled = template.replace(PLACEHOLDER, 'x');
    if (unknown.length > 0) {
      issues.addIssue(
        `names ${unknown.join(', ')}: the placeholders are ${PLACEHOLDERS.join(', ')}`,
      );
    }
    if (!PERMITTED.test(filled)) issues.addIssue(NOT_PERMITTED);
    if (leavesRoot(filled)) issues.addIssue(LEAVES_ROOT);
    if (placeholders.length === 0) {
      issues.addIssue(`is the same for every token: add one of ${PLACEHOLDERS.join(', ')}`);
    }
  })
  .transform((template) => ({
    uses: (field: IdField) => template.includes(`{${field}}`),
    fill: (ids: Ids) =>
      template.replace(PLACEHOLDER, (_placeholder, field: IdField) => ids[field] ?? ''),
  }));

export const plainPath = z
  .string()
  .regex(PERMITTED, NOT_PERMITTED)
  .refine((path) => !leavesRoot(path), LEAVES_ROOT);

function leavesRoot(path: string): boolean {
  return path.split('/').some((segment) => ['', '.', '..'].includes(segment));
}

/** Completes the ids for a check, which delivers nothing: unknown ids are zeros. */
export function completeIds(target: Partial<Pair>): Ids {
  const unknown = '0'.repeat(24);
  return {
    orgId: target.orgId ?? unknown,
    sourceOrgId: target.sourceOrgId ?? unknown,
    deliveryId: '00000000-0000-0000-0000-000000000000',
  };
}
