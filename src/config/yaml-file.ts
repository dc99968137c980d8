import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, isNode, parseDocument } from 'yaml';
import { systemErrorCode } from '../files';

/**
 * Enough for an alias in each organization of a large map. The library counts an alias inside an
 * anchor once for each use of that anchor.
 */
const MAX_ALIASES = 10_000;

export interface YamlFile {
  /** Undefined when there are problems. Keys are strings as written. */
  content: unknown;
  /**
   * Messages with file and line. The file may hold a secret, so they quote nothing from it but an
   * escape sequence or a %YAML line.
   */
  problems: string[];
  /** Finds a setting, for a message: `file.yaml:12 sinks.drop.directory`. */
  findPlace(keys: readonly PropertyKey[]): string;
}

export function readYamlFile(file: string): YamlFile {
  const name = path.basename(file);
  const refuse = (...problems: string[]) => ({
    content: undefined,
    problems,
    findPlace: () => name,
  });

  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return refuse(
      `${file} cannot be read (${systemErrorCode(error)}):` +
        ' name the configuration file with --config or LIVE_MIGRATION_PREP_CONFIG',
    );
  }

  if (!isUtf8(bytes)) return refuse(`${name} is not text in UTF-8: save it as UTF-8`);

  const lineCounter = new LineCounter();
  const document = parseDocument(bytes.toString(), {
    lineCounter,
    prettyErrors: false,
    // An organization id of digits only must stay a string.
    stringKeys: true,
  });
  const placeAt = (offset: number) => `${name}:${lineCounter.linePos(offset).line}`;
  // A message quotes the file after a colon, and advises after a semicolon.
  const problems = document.errors.map(
    ({ message, pos }) => `${placeAt(pos[0])} ${message.replace(/[:;] [^]*/, '')}`,
  );
  if (problems.length > 0) return refuse(...problems);

  try {
    return {
      content: document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {},
      problems,
      findPlace(keys) {
        const setting = keys.map(String).join('.');
        for (let depth = keys.length; depth > 0; depth--) {
          const node = document.getIn(keys.slice(0, depth), true);
          if (isNode(node) && node.range) return `${placeAt(node.range[0])} ${setting}`;
        }
        return [name, setting].filter(Boolean).join(' ');
      },
    };
  } catch {
    // `toJS` throws for nothing else. Its message may quote a secret that begins with *.
    return refuse(
      `${name} has an unknown alias, or too many of them (*name):` +
        ' put a text that starts with * in quotes, or write values out',
    );
  }
}
