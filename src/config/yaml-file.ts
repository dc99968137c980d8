import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, isNode, parseDocument, type Document } from 'yaml';
import { errnoOf } from '../files';
import { findYamlProblems } from './yaml-problems';

const MAX_BYTES = 1024 * 1024;
const MAX_PROBLEMS = 20;

export interface YamlFile {
  /** Undefined when there are problems. Keys are strings, as they are written. */
  content: unknown;
  /** Each with its place. They quote nothing of the file, which may hold a secret. */
  problems: string[];
  /** Where a setting is, for a message: `file.yaml:12 sinks.drop.directory`. */
  placeOf(keys: readonly PropertyKey[]): string;
}

/** Reads a YAML file of one document. Its size, and what its aliases expand to, are bounded. */
export function readYamlFile(file: string): YamlFile {
  const name = path.basename(file);
  const refused = (problems: string[]): YamlFile => ({
    content: undefined,
    problems:
      problems.length > MAX_PROBLEMS
        ? [...problems.slice(0, MAX_PROBLEMS), `${name} has ${problems.length - MAX_PROBLEMS} more problems`]
        : problems,
    placeOf: () => name,
  });

  let text: string | null;
  try {
    text = readText(file);
  } catch (error) {
    return refused([
      `${file} cannot be read (${errnoOf(error)}): name the configuration file with --config or LIVE_MIGRATION_PREP_CONFIG`,
    ]);
  }
  if (text === null) return refused([`${name} is larger than 1 MiB`]);

  const lineCounter = new LineCounter();
  // Keys are strings, so that an organization id of digits only is no number; findYamlProblems finds repeated ones faster.
  const options = { lineCounter, prettyErrors: false, stringKeys: true, uniqueKeys: false };
  const document = parseDocument(text, options);
  const lineAt = (offset: number) => lineCounter.linePos(offset).line;
  const problems = findYamlProblems(document, lineAt).map(({ offset, message }) =>
    offset === null ? `${name} ${message}` : `${name}:${lineAt(offset)} ${message}`,
  );
  if (problems.length > 0) return refused(problems);
  return {
    content: document.toJS({ maxAliasCount: -1 }) ?? {},
    problems: [],
    placeOf: (keys) => placeOf(keys, document, lineAt, name),
  };
}

/** Null when it is too large. A pipe has no size to look at, so at most one byte too many is read. */
function readText(file: string): string | null {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  const descriptor = openSync(file, 'r');
  try {
    let length = 0;
    let read: number;
    do {
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
      length += read;
    } while (read > 0);
    return length > MAX_BYTES ? null : buffer.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
}

function placeOf(
  keys: readonly PropertyKey[],
  document: Document,
  lineAt: (offset: number) => number,
  name: string,
): string {
  const setting = keys.map(String).join('.');
  for (let depth = keys.length; depth > 0; depth--) {
    const node = document.getIn(keys.slice(0, depth), true);
    if (isNode(node) && node.range) return `${name}:${lineAt(node.range[0])} ${setting}`;
  }
  return [name, setting].filter(Boolean).join(' ');
}
