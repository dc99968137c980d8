import { isAlias, isCollection, isMap, isNode, isPair, isScalar, type Document, type YAMLMap } from 'yaml';

const MAX_DEPTH = 100;
const MAX_VALUES = 100_000;

/** What is wrong with a document. It quotes nothing of it. */
interface YamlProblem {
  /** Where in the text; null for the document as a whole. */
  offset: number | null;
  message: string;
}

/** How large a value is once its aliases are expanded. */
interface Size {
  values: number;
  depth: number;
}

/** Finds the problems of a parsed document, and what would be too much to expand. */
export function findYamlProblems(
  document: Document.Parsed,
  lineAt: (offset: number) => number,
): YamlProblem[] {
  const tooDeep = { offset: null, message: `is nested more than ${MAX_DEPTH} levels deep` };
  // The parser ran out of stack.
  if (document.errors.some(({ code }) => code === 'RESOURCE_EXHAUSTION')) return [tooDeep];
  if (document.errors.length > 0) {
    return document.errors.map(({ code, message, pos: [offset] }) => ({
      offset,
      message: code === 'MULTIPLE_DOCS' ? 'starts a second document (---): keep one' : withoutQuote(message),
    }));
  }

  const problems: YamlProblem[] = [];
  /** Null while the anchored value is open. A later anchor of the same name replaces an earlier one. */
  const anchored = new Map<string, Size | null>();

  function sizeOf(node: unknown): Size {
    if (isAlias(node)) {
      const size = anchored.get(node.source);
      if (size) return size;
      const message =
        size === null
          ? 'has an alias (*…) inside its own anchor (&…)'
          : 'has an alias (*…) without an anchor (&…) above it: quote a text that starts with *';
      problems.push({ offset: node.range?.[0] ?? null, message });
    }
    const anchor = isNode(node) && !isAlias(node) ? node.anchor : undefined;
    if (anchor) anchored.set(anchor, null);
    if (isMap(node)) problems.push(...problemsOfKeys(node, lineAt));
    const size = { values: 1, depth: isCollection(node) ? 1 : 0 };
    for (const part of partsOf(node)) {
      const { values, depth } = sizeOf(part);
      size.values += values;
      size.depth = Math.max(size.depth, isCollection(node) ? 1 + depth : depth);
    }
    if (anchor) anchored.set(anchor, size);
    return size;
  }

  const { values, depth } = sizeOf(document.contents);
  if (depth > MAX_DEPTH) problems.push(tooDeep);
  if (values > MAX_VALUES) {
    const message = `has aliases (*…) that expand to more than ${MAX_VALUES} values: write fewer`;
    problems.push({ offset: null, message });
  }
  return problems;
}

function partsOf(node: unknown): readonly unknown[] {
  if (isCollection(node)) return node.items;
  return isPair(node) ? [node.key, node.value] : [];
}

function problemsOfKeys(map: YAMLMap, lineAt: (offset: number) => number): YamlProblem[] {
  const problems: YamlProblem[] = [];
  const seen = new Map<unknown, number>();
  for (const { key } of map.items) {
    if (!isScalar(key) || !key.range) continue;
    const [offset] = key.range;
    const first = seen.get(key.value);
    if (first !== undefined) {
      problems.push({ offset, message: `repeats a key of line ${lineAt(first)}: remove one` });
    }
    // An object made from this map would lose it.
    if (key.value === '__proto__') problems.push({ offset, message: '__proto__ cannot be a name' });
    seen.set(key.value, offset);
  }
  return problems;
}

/** The parser quotes the file behind a colon. */
function withoutQuote(message: string): string {
  return message.replace(/: [^]*/, '');
}
