import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { CompactEncrypt, base64url, compactDecrypt } from 'jose';
import { z } from 'zod';
import { MAX_LINK_TOKEN_BYTES } from '../contract/limits';
import { tokenFactsSchema, type SealedToken, type TokenFacts } from '../contract/schemas';
import { toObject } from '../shared/object';
import { quote, cutAndEscape } from '../shared/text';
import { WORKER_IDENTITY } from '../version';
import { findPublicApiKey } from './link-token';
import type { SecretFormat } from './read-secret';

const keySchema = z.object({
  kty: z.literal('oct'),
  kid: z.string().min(1),
  k: z.string().regex(/^[\w-]{43}$/, 'is not 32 bytes in base64url'),
});
type Key = z.output<typeof keySchema>;

const keySetSchema = z.object({
  keys: z
    .array(keySchema, 'is not a list of keys')
    .min(1, 'holds no key')
    .refine(
      (keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length,
      'holds two keys with one kid',
    ),
});

const PAYLOAD_VERSION = 1;
/**
 * For a message: longer than any workflow id of ours. Anyone can write another one into the header
 * of a token.
 */
const MAX_WORKFLOW_ID_LENGTH = 100;

const payloadSchema = tokenFactsSchema.extend({
  version: z.literal(PAYLOAD_VERSION),
  linkToken: z.string().min(1),
});

/** Only for a first installation: new keys open no token that is sealed already. */
export const HOW_TO_MAKE_KEYS =
  'for a first installation, make the keys with:' +
  ' live-migration-prep sealing-keys --file sealing-keys.json';
const HOW_TO_RESTORE_KEYS =
  'restore them from another worker, since only they open the tokens that are sealed with them; ' +
  HOW_TO_MAKE_KEYS;

/**
 * Thrown when a sealed token cannot be opened here. Its message names the key and never holds the
 * token.
 */
export class SealedTokenUnreadableError extends Error {
  override readonly name = 'SealedTokenUnreadableError';

  /** @param permanent true if no later attempt can succeed, here or on another worker. */
  constructor(
    message: string,
    readonly permanent: boolean,
  ) {
    super(message);
  }
}

export class LinkTokenTooLargeError extends Error {
  override readonly name = 'LinkTokenTooLargeError';
}

export type Sealer = ReturnType<typeof createSealer>;

/**
 * Creates the object that seals and opens tokens.
 *
 * @param readKeySet returns a JWK set of symmetric keys, as `live-migration-prep sealing-keys`
 *   writes it. It is read again when a token was sealed with a key that the set lacked, so that
 *   workers can be restarted one at a time.
 * @throws Error that describes the problem of the set, without its content.
 */
export function createSealer(readKeySet: () => string) {
  let keys = parseKeySet(readKeySet());

  /** Reads the set again; empty when it cannot be read. */
  function readStored(): Key[] {
    try {
      return parseKeySet(readKeySet());
    } catch {
      return [];
    }
  }

  function findKeysMissingFrom(stored: readonly Key[]): Key[] {
    const isStored = (key: Key) => stored.some(({ kid, k }) => kid === key.kid && k === key.k);
    return keys.filter((key) => !isStored(key));
  }

  /** Keeps a key that the set has lost: it may be the only one that opens a waiting token. */
  function reload(): void {
    const stored = readStored();
    const [first, ...others] = [...stored, ...findKeysMissingFrom(stored)];
    if (first) keys = [first, ...others];
  }

  function findKey(kid: string): Key {
    const hasKid = (key: Key) => key.kid === kid;
    if (!keys.some(hasKid)) reload();
    const key = keys.find(hasKid);
    if (key) return key;
    const problem =
      `the token was sealed with key ${quote(kid)},` +
      ` which worker ${WORKER_IDENTITY} does not have`;
    const remedy =
      'add it to the key set, behind the first,' +
      ' and restart the worker if its set is in the environment';
    throw new SealedTokenUnreadableError(`${problem}: ${remedy}`, false);
  }

  return {
    /** Lists the key ids of the set; the first key seals, all open. */
    keyIds: () => keys.map(({ kid }) => kid),

    /** Lists the ids of the keys that a restart of the worker would lose. */
    keyIdsOnlyInMemory: () => findKeysMissingFrom(readStored()).map(({ kid }) => kid),

    /**
     * Seals a new token, and gives it a delivery id. Only what a receipt may say goes with it.
     *
     * @throws LinkTokenTooLargeError
     */
    async seal(
      linkToken: string,
      facts: Omit<TokenFacts, 'deliveryId' | 'tokenSha256' | 'publicApiKey' | 'createdAt'>,
      workflowId: string,
    ): Promise<SealedToken> {
      if (Buffer.byteLength(JSON.stringify(linkToken)) > MAX_LINK_TOKEN_BYTES) {
        throw new LinkTokenTooLargeError();
      }
      const tokenFacts = tokenFactsSchema.parse({
        ...facts,
        deliveryId: randomUUID(),
        tokenSha256: createHash('sha256').update(linkToken).digest('hex'),
        publicApiKey: findPublicApiKey(linkToken),
        createdAt: new Date().toISOString(),
      });
      const [{ kid, k }] = keys;
      const payload = new TextEncoder().encode(
        JSON.stringify({ version: PAYLOAD_VERSION, linkToken, ...tokenFacts }),
      );
      const jwe = await new CompactEncrypt(payload)
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid, aud: workflowId })
        .encrypt(base64url.decode(k));
      return { jwe, ...tokenFacts };
    },

    /**
     * Opens a sealed token. The result comes from inside the seal.
     *
     * @throws SealedTokenUnreadableError when the key is missing, or the token was altered or
     *   sealed for another workflow id.
     */
    async open(jwe: string, workflowId: string): Promise<TokenFacts & { linkToken: string }> {
      const getSecret = ({ kid, aud }: { kid?: string; aud?: unknown }) => {
        const { k } = findKey(String(kid));
        if (aud === workflowId) return base64url.decode(k);
        const id = cutAndEscape(String(aud), MAX_WORKFLOW_ID_LENGTH);
        const message =
          `the token was sealed for workflow id ${id}:` +
          ' deliver it in a run with that workflow id';
        throw new SealedTokenUnreadableError(message, true);
      };
      try {
        const { plaintext } = await compactDecrypt(jwe, getSecret, {
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        });
        const payload: unknown = JSON.parse(new TextDecoder().decode(plaintext));
        requireOwnVersion(toObject(payload)['version']);
        const { version: _, ...openedToken } = payloadSchema.parse(payload);
        return openedToken;
      } catch (error) {
        if (error instanceof SealedTokenUnreadableError) throw error;
        const problem =
          `worker ${WORKER_IDENTITY} cannot open the token,` +
          ' which was altered or sealed with another key of the same id';
        throw new SealedTokenUnreadableError(
          `${problem}: take it from the history of its own run`,
          true,
        );
      }
    },
  };
}

/**
 * Refuses a payload of another release, not for ever: after a rollback, newer workers may still be
 * there.
 */
function requireOwnVersion(version: unknown): void {
  if (!Number.isInteger(version) || version === PAYLOAD_VERSION) return;
  throw new SealedTokenUnreadableError(
    `the token was sealed by another release (version ${String(version)} of the payload,` +
      ` not ${PAYLOAD_VERSION}): ` +
      'deliver it with a worker of that release',
    false,
  );
}

export const sealingKeysFormat: SecretFormat = (keySetJson) => {
  try {
    parseKeySet(keySetJson);
    return null;
  } catch (error) {
    return `cannot be used: ${(error as Error).message}`;
  }
};

/** Creates a new random key; its `kid` begins with the date. */
export function makeKey(now: Date) {
  const kid = `${now.toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`;
  return { kty: 'oct', use: 'enc', alg: 'A256GCM', kid, k: base64url.encode(randomBytes(32)) };
}

function parseKeySet(json: string): [Key, ...Key[]] {
  let input: unknown;
  try {
    input = JSON.parse(json);
  } catch {
    // JSON.parse quotes its input, which is a secret.
    throw new Error(`the sealing keys are not JSON: ${HOW_TO_RESTORE_KEYS}`);
  }
  const { data, error } = keySetSchema.safeParse(input);
  if (error) {
    const problems = error.issues
      .map(({ path, message }) => `${path.join('.')} ${message}`)
      .join('; ');
    throw new Error(
      `the sealing keys are not a JWK set of 256-bit keys (${problems}): ${HOW_TO_RESTORE_KEYS}`,
    );
  }
  return data.keys as [Key, ...Key[]];
}
