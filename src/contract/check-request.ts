import type { z } from 'zod';
import { judgeEntry } from './access-list';
import type { FieldProblem, PrepareRequest, ValidRequest } from './names';
import { MAX_ACCESS_LIST_ENTRIES, prepareRequestSchema } from './schemas';

/** A request checked by every rule that needs no configuration, or all its problems at once. */
export type CheckedRequest =
  { request: Omit<ValidRequest, 'credential'>; problems: [] } | { request: null; problems: FieldProblem[] };

/** Checks a request as far as can be done without the worker's configuration. Pure; the client uses it too. */
export function checkRequest(input: unknown): CheckedRequest {
  const parsed = prepareRequestSchema.safeParse(input);
  const list = judgeAccessList(accessListOf(input));
  const problems = [...(parsed.error?.issues.map(problemOf) ?? []), ...list.problems];
  if (!parsed.success || problems.length > 0) return { request: null, problems };
  const { orgId, sink, sourceOrgId, requestedBy, changeReference }: PrepareRequest = parsed.data;
  return {
    request: {
      orgId,
      sourceOrgId: sourceOrgId ?? null,
      accessListIps: list.entries,
      sink,
      warnings: list.warnings,
      requestedBy: requestedBy ?? null,
      changeReference: changeReference ?? null,
    },
    problems: [],
  };
}

const MAX_PROBLEMS_IN_MESSAGE = 10;

/** All problems in one sentence, the first ten in words: a failure's message has to stay readable. */
export function describeProblems(problems: readonly FieldProblem[]): string {
  const words = problems
    .slice(0, MAX_PROBLEMS_IN_MESSAGE)
    .map(({ field, description }) => `${field} ${description}`);
  const more = problems.length - words.length;
  return words.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** The entries are judged even when another field is wrong, so that one answer names every problem. */
function accessListOf(input: unknown): unknown[] {
  const list = (input as { accessListIps?: unknown } | null | undefined)?.accessListIps;
  return Array.isArray(list) && list.length <= MAX_ACCESS_LIST_ENTRIES ? list : [];
}

function judgeAccessList(list: readonly unknown[]) {
  const entries = new Set<string>();
  const problems: FieldProblem[] = [];
  const warnings: string[] = [];
  list.forEach((text, index) => {
    if (typeof text !== 'string') return;
    const field = `accessListIps[${index}]`;
    const verdict = judgeEntry(text);
    if ('problem' in verdict) {
      problems.push({ field, description: `${quote(text)} ${verdict.problem}` });
      return;
    }
    if (entries.has(verdict.entry)) warnings.push(`${field} ${quote(text)} is a duplicate: it is sent once`);
    else if (verdict.warning) warnings.push(`${field} ${quote(text)} ${verdict.warning}`);
    entries.add(verdict.entry);
  });
  return { entries: [...entries], problems, warnings };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function problemOf({ path, code, message, ...issue }: z.core.$ZodIssue): FieldProblem {
  const field = path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : (i > 0 ? '.' : '') + String(key)))
    .join('');
  if (code === 'unrecognized_keys' && 'keys' in issue) {
    return { field: issue.keys.join(', '), description: 'is not a field of a request: remove it' };
  }
  return { field: field || 'request', description: message };
}
