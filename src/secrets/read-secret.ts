import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { systemErrorCode } from '../files';

/** A secret that the configuration names but does not hold. Each read sees the current value. */
export interface Secret {
  /** Origin for messages: `environment variable NAME` or `file PATH`. */
  readonly source: string;
  /** @throws SecretUnavailableError */
  read(): string;
}

/** Thrown when a secret is missing, unreadable or malformed. The message names the source only. */
export class SecretUnavailableError extends Error {
  override readonly name = 'SecretUnavailableError';
}

/**
 * @returns the problem, which never quotes the secret: `is not a key: write …`; null when there is
 *   none.
 */
export type SecretFormat = (secret: string) => string | null;

/** Checks a secret that goes into an HTTP header: an error may quote a malformed header. */
export const headerFormat: SecretFormat = (secret) =>
  /^[\x21-\x7e]+$/.test(secret)
    ? null
    : 'is not a credential: it contains white space or characters outside ASCII';

export type Env = Readonly<Record<string, string | undefined>>;

export interface ReferenceContext {
  env: Env;
  /** Base of relative paths: the folder of the configuration file. */
  baseDirectory: string;
  /** Receives problems that do not stop the worker, such as a secret file that others can read. */
  warn(message: string): void;
  /** Says in messages what to do about a file that cannot be read. */
  remedy?: string;
}

/** How the secrets of service accounts, webhooks, Temporal Cloud, Vault and OpenBao begin. */
const SECRET = /^(mdb_sa_sk_|whsec_|tmprl_|hv[sbr]\.|s\.\w{24}$)/;

/** Recognises most secrets that are written in a wrong place, before a message quotes them. */
export function looksLikeSecret(text: string): boolean {
  return SECRET.test(text);
}

const notSecret = z.string().refine((text) => !looksLikeSecret(path.basename(text)));

const referenceSchema = z.union([
  z.strictObject({ env: notSecret.regex(/^[A-Za-z_]\w*$/) }),
  z.strictObject({ file: notSecret.min(1) }),
]);

const textOrReferenceSchema = z.union([notSecret, referenceSchema]);
type TextOrReference = z.output<typeof textOrReferenceSchema>;

/**
 * Creates the schema of `{env: NAME}` or `{file: PATH}`. It reads the secret, to report a missing
 * one.
 */
export function secretReference(context: ReferenceContext, format: SecretFormat) {
  const problem =
    'is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret';
  return readable(referenceSchema, problem, context, format);
}

/**
 * Creates the schema of a text that need not be secret, such as a client id: written as it is, or
 * as a reference.
 */
export function textOrReference(context: ReferenceContext, format: SecretFormat) {
  const problem = 'is not an id or an address: write it in quotes, {env: NAME} or {file: PATH}';
  return readable(textOrReferenceSchema, problem, context, format);
}

function readable(
  schema: z.ZodType<TextOrReference>,
  problem: string,
  context: ReferenceContext,
  format: SecretFormat,
) {
  return z
    .custom<TextOrReference>((input) => schema.safeParse(input).success, problem)
    .transform((value, issues) => {
      const secret = toSecret(value, context, format);
      const problem = typeof value === 'string' ? format(value) : findProblem(secret);
      if (problem !== null) issues.addIssue(problem);
      return secret;
    });
}

function toSecret(value: TextOrReference, context: ReferenceContext, format: SecretFormat): Secret {
  if (typeof value === 'string') return secretFrom('the configuration file', format, () => value);
  if ('env' in value) {
    const source = `environment variable ${value.env}`;
    return secretFrom(source, format, () => {
      const secret = context.env[value.env];
      if (!secret) throw new SecretUnavailableError(`${source} is not set or empty: set it`);
      return secret;
    });
  }
  const file = path.resolve(context.baseDirectory, value.file);
  const secret = secretFrom(`file ${file}`, format, () => readSecretFile(file, context.remedy));
  // The group may read: Kubernetes makes a mounted secret readable by the group of the pod.
  if (findProblem(secret) === null && (statSync(file).mode & 0o007) !== 0) {
    context.warn(`every user of the host can access file ${file}: run chmod o= on it`);
  }
  return secret;
}

function readSecretFile(
  file: string,
  remedy = 'correct its path, or permit the worker to read it',
): string {
  try {
    const secret = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    if (secret !== '') return secret;
  } catch (error) {
    throw new SecretUnavailableError(
      `file ${file} cannot be read (${systemErrorCode(error)}): ${remedy}`,
    );
  }
  throw new SecretUnavailableError(`file ${file} is empty: write the secret into it`);
}

/** Checks the form at each read, since a file may change. */
function secretFrom(source: string, format: SecretFormat, readValue: () => string): Secret {
  return {
    source,
    read() {
      const value = readValue();
      const problem = format(value);
      if (problem !== null) throw new SecretUnavailableError(`${source} ${problem}`);
      return value;
    },
  };
}

/** Returns null if the secret can be read now. */
function findProblem(secret: Secret): string | null {
  try {
    secret.read();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
