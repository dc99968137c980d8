import { z } from 'zod';
import { parseJson } from '../http';
import type { HttpAnswer } from './http-call';
import { errorOfAnswer, isSuccess } from './http-status';
import { SinkRejectedError, SinkUnavailableError } from './sink';
import type { VaultIdentity, VaultSend } from './vault-auth';

/** What is at a path now. */
export interface KvSecret {
  /** Of the newest version; 0 where there is none. */
  version: number;
  /** Null where the newest version is deleted or destroyed, or there is none. */
  data: Readonly<Record<string, unknown>> | null;
  customMetadata: Readonly<Record<string, string>>;
}

/** A mount of the key/value secrets engine, version 2. Its HTTP API is the same in Vault and OpenBao. */
export interface Kv {
  /** @throws SinkUnavailableError, SinkRejectedError; so do the others. */
  read(path: string, signal: AbortSignal): Promise<KvSecret>;
  /**
   * Writes a new version if the newest is still `cas`.
   *
   * @returns its number, or null when another write came between.
   */
  write(path: string, data: object, cas: number, signal: AbortSignal): Promise<number | null>;
  /** Sets these keys of the custom metadata and leaves the others; null removes a key. */
  patchMetadata(
    path: string,
    customMetadata: Readonly<Record<string, string | null>>,
    signal: AbortSignal,
  ): Promise<void>;
}

const readSchema = z.object({
  data: z.object({
    data: z.record(z.string(), z.unknown()).nullable(),
    metadata: z.object({
      version: z.int(),
      custom_metadata: z.record(z.string(), z.string()).nullish(),
    }),
  }),
});
const writtenSchema = z.object({ data: z.object({ version: z.int() }) });
const errorsSchema = z.object({ errors: z.array(z.string()) });

const NEEDS = {
  data: 'create, read and update',
  metadata: 'patch',
};

export function createKv(peer: string, mount: string, identity: VaultIdentity, send: VaultSend): Kv {
  /** One request, and one more with a new token when the old one has run out. */
  async function ask(
    request: Omit<Parameters<VaultSend>[0], 'token'>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const token = await identity.token(signal);
    const answer = await send({ ...request, token }, signal);
    if (answer.status !== 403) return answer;
    const renewed = await identity.afterForbidden(token, signal);
    return renewed === null ? answer : send({ ...request, token: renewed }, signal);
  }

  function errorOf(answer: HttpAnswer, kind: keyof typeof NEEDS, path: string): Error {
    if (errorsOf(parseJson(answer.body)).some((error) => error.startsWith('Upgrading'))) {
      return new SinkUnavailableError(`${peer} is still setting up the key/value engine at ${mount}`);
    }
    return errorOfAnswer(`${peer} asked for ${mount}/${kind}/${path}`, answer, {
      403: `the policy denies it; grant ${NEEDS[kind]} on ${mount}/${kind}/… to the worker`,
      404: `there is no key/value engine at ${mount} in this namespace; correct mount or namespace`,
      405: `${mount} is not a key/value engine; correct mount`,
      412: 'this node lags behind',
      503: 'it is sealed or down; unseal it',
    });
  }

  return {
    async read(path, signal) {
      const answer = await ask({ method: 'GET', path: `${mount}/data/${path}` }, signal);
      const body = parseJson(answer.body);
      const found = readSchema.safeParse(body);
      // A deleted version answers 404 too, with its number.
      if (found.success && [200, 404].includes(answer.status)) {
        const { data, metadata } = found.data.data;
        return { version: metadata.version, data, customMetadata: metadata.custom_metadata ?? {} };
      }
      if (answer.status === 404 && errorsOf(body).length === 0) {
        return { version: 0, data: null, customMetadata: {} };
      }
      if (isSuccess(answer)) throw notVersion2(peer, mount);
      throw errorOf(answer, 'data', path);
    },

    async write(path, data, cas, signal) {
      const body = { options: { cas }, data };
      const answer = await ask({ method: 'POST', path: `${mount}/data/${path}`, body }, signal);
      const parsed = parseJson(answer.body);
      if (answer.status === 400 && errorsOf(parsed).some((error) => error.includes('did not match')))
        return null;
      if (!isSuccess(answer)) throw errorOf(answer, 'data', path);
      const written = writtenSchema.safeParse(parsed);
      if (!written.success) throw notVersion2(peer, mount);
      return written.data.data.version;
    },

    async patchMetadata(path, customMetadata, signal) {
      const body = { custom_metadata: customMetadata };
      const answer = await ask({ method: 'PATCH', path: `${mount}/metadata/${path}`, body }, signal);
      if (!isSuccess(answer)) throw errorOf(answer, 'metadata', path);
    },
  };
}

function errorsOf(body: unknown): string[] {
  const parsed = errorsSchema.safeParse(body);
  return parsed.success ? parsed.data.errors : ['no list of errors'];
}

/** Version 1 takes the write without a complaint, at the path that version 2 has for its data. */
function notVersion2(peer: string, mount: string): SinkRejectedError {
  return new SinkRejectedError(
    `${peer} has a key/value engine of version 1 at ${mount}: delete what was written below ${mount}/data/, enable version 2 or correct mount, then redeliver`,
  );
}
