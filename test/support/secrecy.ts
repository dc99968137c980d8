import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** A text that may hold a secret that it must not hold. */
export interface Place {
  name: string;
  content: Buffer;
}

/** A secret, under a name that may be printed. */
type Secrets = ReadonlyMap<string, string>;

export function textPlace(name: string, text: string): Place {
  return { name, content: Buffer.from(text) };
}

/** Every file below a folder but those that are meant to hold a secret. */
export function filesBelow(folder: string, meant: readonly string[] = []): Place[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter(
      (file) =>
        !meant.some((allowed) => file === allowed || file.startsWith(`${allowed}${path.sep}`)),
    )
    .flatMap(readIfThere);
}

/** Temporal's database has a journal, which comes and goes. */
function readIfThere(file: string): Place[] {
  try {
    return [{ name: file, content: readFileSync(file) }];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Finds secrets as they are and in base64, wherever they begin in what is encoded; also inside
 * base64, as payloads are in JSON.
 */
export function findSecrets(places: readonly Place[], secrets: Secrets): string[] {
  const forms = [...secrets].map(([what, secret]) => [what, formsOf(secret)] as const);
  return places.flatMap(({ name, content }) => {
    const readable = [content, Buffer.concat(decodedBase64In(content))];
    return forms
      .filter(([, texts]) => texts.some((text) => readable.some((bytes) => bytes.includes(text))))
      .map(([what]) => `${what} in ${name}`);
  });
}

/** Base64 encodes three bytes as four characters, so that a text has three forms in it. */
function formsOf(secret: string): string[] {
  const encoded = [0, 1, 2].map((offset) => {
    const bytes = Buffer.from(secret.padStart(secret.length + offset));
    // Without the characters that the bytes before and after have a part in.
    const [start, end] = [Math.ceil((offset * 4) / 3), Math.floor((bytes.length * 4) / 3)];
    return bytes.toString('base64').slice(start, end);
  });
  const urlSafe = encoded.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [secret, ...encoded, ...urlSafe];
}

function decodedBase64In(content: Buffer): Buffer[] {
  const runs = content.toString('latin1').match(/[A-Za-z0-9+/_-]{24,}={0,2}/g) ?? [];
  return runs.map((run) => Buffer.from(run, 'base64'));
}
