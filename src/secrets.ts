import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

/** A secret that the configuration names but does not hold. Read anew each time, so a rotated file is seen. */
export interface Secret {
  /** Where it comes from, for messages: `environment variable NAME` or `file PATH`. */
  readonly source: string;
  /** The secret, without the line end a file may have. Throws SecretUnavailableError. */
  read(): string;
}

/** Thrown when a secret cannot be read. Its message names the source and never the secret. */
export class SecretUnavailableError extends Error {
  override readonly name = 'SecretUnavailableError';
}

/** Where references are looked up. */
export interface ReferenceContext {
  env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here: the folder of the configuration file. */
  baseDirectory: string;
  /** Told of what is allowed and unwise, such as a secret file that others can read. */
  warn(message: string): void;
}

const reference = z.union([
  // The shape of a name, so that most secrets written here by mistake are refused before they are quoted as a name.
  z.strictObject({ env: z.string().regex(/^[A-Za-z_]\w*$/) }),
  z.strictObject({ file: z.string().min(1) }),
]);

/** Schema of `{env: NAME}` or `{file: PATH}`. It reads the secret once, so that a missing one is told at start. */
export function secretReference(context: ReferenceContext) {
  return z.unknown().transform((input, issues): Secret => {
    const parsed = reference.safeParse(input);
    if (!parsed.success) {
      issues.addIssue('is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret');
      return z.NEVER;
    }
    const secret =
      'env' in parsed.data
        ? secretFromEnv(parsed.data.env, context)
        : secretFromFile(path.resolve(context.baseDirectory, parsed.data.file));
    try {
      secret.read();
      if ('file' in parsed.data) warnWhenOthersCanRead(secret, parsed.data.file, context);
    } catch (error) {
      issues.addIssue((error as Error).message);
      return z.NEVER;
    }
    return secret;
  });
}

export function secretFromEnv(name: string, { env }: Pick<ReferenceContext, 'env'>): Secret {
  const source = `environment variable ${name}`;
  return {
    source,
    read() {
      const value = env[name];
      if (!value) throw new SecretUnavailableError(`${source} is not set or empty: set it`);
      return value;
    },
  };
}

function secretFromFile(file: string): Secret {
  const source = `file ${file}`;
  return {
    source,
    read() {
      let value: string;
      try {
        value = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      } catch (error) {
        throw new SecretUnavailableError(
          `${source} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
        );
      }
      if (value === '') throw new SecretUnavailableError(`${source} is empty`);
      return value;
    },
  };
}

function warnWhenOthersCanRead(secret: Secret, file: string, context: ReferenceContext): void {
  const { mode } = statSync(path.resolve(context.baseDirectory, file));
  if ((mode & 0o077) !== 0) context.warn(`${secret.source} can be read by others: chmod 600 it`);
}
