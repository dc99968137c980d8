import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, isNode, parseDocument, type Document } from 'yaml';

export interface YamlFile {
  content: unknown;
  /** Where a value stands, for a message: `file.yaml:12 sinks.drop.directory`. */
  placeOf(keys: readonly PropertyKey[]): string;
}

/** @throws Error with one problem a line, each with its place; the content is not quoted. */
export function readYamlFile(file: string): YamlFile {
  const name = path.basename(file);
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new Error(
      document.errors
        .map(({ message, pos }) => `${name}:${lines.linePos(pos[0]).line} ${withoutQuote(message)}`)
        .join('\n'),
    );
  }
  return {
    content: contentOf(document, name),
    placeOf(keys) {
      for (let depth = keys.length; depth > 0; depth--) {
        const node = document.getIn(keys.slice(0, depth), true);
        if (isNode(node) && node.range) {
          return `${name}:${lines.linePos(node.range[0]).line} ${keys.map(String).join('.')}`;
        }
      }
      return [name, keys.map(String).join('.')].filter(Boolean).join(' ');
    },
  };
}

/** The parser quotes the file behind a colon, and what stands there may be a secret. */
function withoutQuote(message: string): string {
  return message.replace(/: [^]*/, '');
}

function contentOf(document: Document, name: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    // The parser's own message names the alias.
    throw new Error(`${name} has an alias (*…) without its anchor: quote a text that starts with *`);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}): name the configuration file with --config or LIVE_MIGRATION_PREP_CONFIG`,
    );
  }
}
