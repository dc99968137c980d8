import { z } from 'zod';
import type { HttpResponse } from '../../http/send';
import { SinkRejectedError, SinkUnavailableError } from '../sink';
import { isSuccess, responseError } from '../utils/status';
import { SEALED, type VaultIdentity, type VaultSend } from './identity';

/** The present content of a path. */
export interface KvSecret {
  /** The newest version; 0 where there is none. */
  version: number;
  /** Null where the newest version is deleted or destroyed, or there is none. */
  data: Readonly<Record<string, unknown>> | null;
}

const readSchema = z.object({
  data: z.object({
    data: z.record(z.string(), z.unknown()).nullable(),
    metadata: z.object({ version: z.int() }),
  }),
});
const writtenSchema = z.object({ data: z.object({ version: z.int() }) });
const errorsSchema = z.object({ errors: z.array(z.string()) });

/** A mount of the key/value secrets engine, version 2. Its HTTP API is the same in Vault and OpenBao. */
export function createKv(server: string, mount: string, identity: VaultIdentity, send: VaultSend) {
  /** One request, and one more with a new token when the former has expired. */
  async function sendAuthenticated(
    request: Omit<Parameters<VaultSend>[0], 'token'>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const token = await identity.token(signal);
    const response = await send({ ...request, token }, signal);
    if (response.status !== 403) return response;
    const renewed = await identity.afterForbidden(token, signal);
    return renewed === null ? response : send({ ...request, token: renewed }, signal);
  }

  function errorOf(response: HttpResponse, path: string): Error {
    const { status, retryAfterMs } = response;
    const what = `${server}, ${mount}/data/${path}`;
    const temporary = temporaryReason(response);
    if (temporary !== null) {
      return new SinkUnavailableError(`${what} responded with ${status}: ${temporary}`, retryAfterMs);
    }
    return responseError(what, response, {
      403: `the policy denies it; grant create, read and update on ${mount}/data/… to the worker`,
      404: `there is no key/value engine at ${mount} in this namespace; correct mount or namespace`,
      405: `${mount} is not a key/value engine; correct mount`,
      503: SEALED,
    });
  }

  return {
    /** @throws SinkUnavailableError, SinkRejectedError; so do the others. */
    async read(path: string, signal: AbortSignal): Promise<KvSecret> {
      const response = await sendAuthenticated({ method: 'GET', path: `${mount}/data/${path}` }, signal);
      const found = readSchema.safeParse(response.json);
      // The response to a deleted version is 404 too, with its number.
      if (found.success && [200, 404].includes(response.status)) {
        const { data, metadata } = found.data.data;
        return { version: metadata.version, data };
      }
      if (response.status === 404 && errorsOf(response)?.length === 0) {
        return { version: 0, data: null };
      }
      // What is not even JSON, such as a page to sign in on, is no engine of any version.
      if (isSuccess(response) && response.json !== null) throw notVersion2(server, mount);
      throw errorOf(response, path);
    },

    /**
     * Writes a new version if the newest is still `cas`.
     *
     * @returns its number, or null when another write came between.
     */
    async write(path: string, data: object, cas: number, signal: AbortSignal): Promise<number | null> {
      const body = { options: { cas }, data };
      const request = { method: 'POST', path: `${mount}/data/${path}`, body } as const;
      const response = await sendAuthenticated(request, signal);
      if (response.status === 400 && errorsOf(response)?.some((error) => error.includes('did not match')))
        return null;
      if (!isSuccess(response)) throw errorOf(response, path);
      const written = writtenSchema.safeParse(response.json);
      if (!written.success) throw notVersion2(server, mount);
      return written.data.data.version;
    },
  };
}

/** Why a refusal ends by itself, or null. */
function temporaryReason(response: HttpResponse): string | null {
  // A redirect would take the token to an address that no operator configured.
  if (response.status === 307) {
    return 'this node is on standby, and no node was active; if that lasts, configure the address of the active node';
  }
  if (response.status === 412) return 'this node lags behind';
  if (errorsOf(response)?.some((error) => error.startsWith('Upgrading'))) {
    return 'the key/value engine is still being set up';
  }
  // Vault says in the body what these mean.
  if ([400, 404].includes(response.status) && response.text === '')
    return 'the body of the response is missing';
  return null;
}

/** Null where the body is not an error of Vault. */
function errorsOf({ json }: HttpResponse): string[] | null {
  const parsed = errorsSchema.safeParse(json);
  return parsed.success ? parsed.data.errors : null;
}

/** Version 1 accepts the write, at the path where version 2 has its data. */
function notVersion2(server: string, mount: string): SinkRejectedError {
  return new SinkRejectedError(
    `${server} has a key/value engine of version 1 at ${mount}: delete what was written below ${mount}/data/, enable version 2 or correct mount, then redeliver`,
  );
}
