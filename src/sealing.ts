import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { CompactEncrypt, base64url, compactDecrypt, decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { workflowIdFor, type SealedToken, type ValidRequest } from './contract/names';

const keySetSchema = z.object({
  keys: z
    .array(
      z.object({
        kty: z.literal('oct'),
        kid: z.string().min(1),
        k: z.string().regex(/^[\w-]{43}$/, 'is not 32 bytes in base64url'),
      }),
    )
    .min(1, 'holds no key')
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, 'holds two keys of one kid'),
});

const payloadSchema = z.object({ version: z.literal(1), linkToken: z.string() });

export const HOW_TO_MAKE_KEYS = 'make one with: live-migration-prep keys --file sealing-keys.json';

/** Thrown when a sealed token cannot be opened here. Its message names the key and never holds the token. */
export class SealedTokenUnreadableError extends Error {
  override readonly name = 'SealedTokenUnreadableError';
}

export interface Sealer {
  /** Key ids of the set; the first seals, all open. */
  readonly keyIds: readonly string[];
  /**
   * Seals a token that has just arrived and gives it its delivery id.
   *
   * @param unconfirmedTokens how many others Atlas may have created unseen before this one.
   */
  seal(
    linkToken: string,
    request: Omit<ValidRequest, 'sink'>,
    unconfirmedTokens: number,
    workflowId: string,
  ): Promise<SealedToken>;
  /**
   * Opens a sealed token for the workflow id it was sealed for.
   *
   * @throws SealedTokenUnreadableError when the key is missing, or the token was altered or belongs to another run.
   */
  open(sealed: SealedToken, workflowId: string): Promise<string>;
  /** Seals and opens a dummy: so a broken key is found before a token exists that it could lose. */
  probe(): Promise<void>;
}

/**
 * @param keySetJson a JWK set of symmetric keys, as `live-migration-prep keys` writes it.
 * @throws Error that says what is wrong with the set, without its content.
 */
export function createSealer(keySetJson: string): Sealer {
  const keys = parseKeySet(keySetJson);
  const sealingKey = keys[0];
  if (!sealingKey) throw new Error('the sealing keys hold no key');

  const sealer: Sealer = {
    keyIds: keys.map(({ kid }) => kid),

    async seal(linkToken, request, unconfirmedTokens, workflowId) {
      const deliveryId = randomUUID();
      const payload = new TextEncoder().encode(JSON.stringify({ version: 1, linkToken }));
      const jwe = await new CompactEncrypt(payload)
        .setProtectedHeader({
          alg: 'dir',
          enc: 'A256GCM',
          kid: sealingKey.kid,
          jti: deliveryId,
          sub: request.orgId,
          aud: workflowId,
        })
        .encrypt(sealingKey.secret);
      return {
        version: 1,
        jwe,
        deliveryId,
        orgId: request.orgId,
        sourceOrgId: request.sourceOrgId,
        accessListIps: request.accessListIps,
        credential: request.credential,
        warnings: request.warnings,
        requestedBy: request.requestedBy,
        changeReference: request.changeReference,
        tokenSha256: sha256(linkToken),
        createdAt: new Date().toISOString(),
        unconfirmedTokens,
      };
    },

    async open(sealed, workflowId) {
      const header = readHeader(sealed.jwe);
      const key = keys.find(({ kid }) => kid === header.kid);
      if (!key) {
        throw new SealedTokenUnreadableError(
          `the token was sealed with key ${header.kid}, which the worker's key set lacks: put that key back behind the first, restart the worker, then redeliver`,
        );
      }
      if (header.jti !== sealed.deliveryId || header.sub !== sealed.orgId || header.aud !== workflowId) {
        throw new SealedTokenUnreadableError(
          `the token was sealed for another run (${header.aud}): redeliver it under that workflow id`,
        );
      }
      const linkToken = await decrypt(sealed.jwe, key);
      if (sha256(linkToken) !== sealed.tokenSha256) throw altered();
      return linkToken;
    },

    async probe() {
      const request = {
        orgId: '0'.repeat(24),
        sourceOrgId: null,
        accessListIps: [],
        credential: '',
        warnings: [],
        requestedBy: null,
        changeReference: null,
      };
      const workflowId = workflowIdFor(request.orgId);
      await sealer.open(await sealer.seal('probe', request, 0, workflowId), workflowId);
    },
  };
  return sealer;
}

/** A new random key of a set; `kid` tells when it was made. */
export function makeKey(now: Date) {
  const kid = `${now.toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`;
  return { kty: 'oct', use: 'enc', alg: 'A256GCM', kid, k: base64url.encode(randomBytes(32)) };
}

function parseKeySet(json: string): { kid: string; secret: Uint8Array }[] {
  let input: unknown;
  try {
    input = JSON.parse(json);
  } catch {
    // JSON.parse quotes its input, which is a secret.
    throw new Error(`the sealing keys are not JSON; ${HOW_TO_MAKE_KEYS}`);
  }
  const parsed = keySetSchema.safeParse(input);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
    throw new Error(
      `the sealing keys are not a JWK set of 256-bit keys (${problems.join('; ')}); ${HOW_TO_MAKE_KEYS}`,
    );
  }
  return parsed.data.keys.map(({ kid, k }) => ({ kid, secret: base64url.decode(k) }));
}

function readHeader(jwe: string): { kid: string; jti: unknown; sub: unknown; aud: string } {
  try {
    const { kid, jti, sub, aud } = decodeProtectedHeader(jwe);
    return { kid: String(kid), jti, sub, aud: String(aud) };
  } catch {
    throw altered();
  }
}

async function decrypt(jwe: string, key: { secret: Uint8Array }): Promise<string> {
  try {
    const { plaintext } = await compactDecrypt(jwe, key.secret, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    return payloadSchema.parse(JSON.parse(new TextDecoder().decode(plaintext))).linkToken;
  } catch {
    throw altered();
  }
}

function altered(): SealedTokenUnreadableError {
  return new SealedTokenUnreadableError(
    'the sealed token was altered, or sealed with another key of the same id: take it from the history of its own run',
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
