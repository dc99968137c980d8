import { z } from 'zod';
import type { HttpResponse } from '../../http/response';
import { isSuccess } from '../../http/response';
import { SinkRejectedError, SinkUnavailableError } from '../sink';
import { parseErrors, vaultError, type VaultClient } from './vault-client';

const readSchema = z.object({
  data: z.object({
    data: z.record(z.string(), z.unknown()).nullable(),
    metadata: z.object({ version: z.int() }),
  }),
});
/** Messages quote these words: without capitals and digits, the type is no token of Vault. */
const engineType = z.string().regex(/^[a-z_-]{1,32}$/);
const engineVersion = z.string().regex(/^\d{1,3}$/);
const mountSchema = z.object({
  data: z.object({
    type: engineType,
    // Version 1 has no options.
    options: z.object({ version: engineVersion.default('1') }).nullable(),
  }),
});
const writtenSchema = z.object({ data: z.object({ version: z.int() }) });

/**
 * Creates a client of a key/value engine of version 2, whose HTTP API is the same in Vault and
 * OpenBao.
 */
export function createKv(client: VaultClient, mount: string) {
  const { server, send } = client;

  function errorAt(path: string, response: HttpResponse): Error {
    return vaultError(client, `${mount}/data/${path}`, response, {
      404: `there is no key/value engine at ${mount} in this namespace; correct mount or namespace`,
      405: `${mount} is not a key/value engine; correct mount`,
    });
  }

  let isVersion2 = false;

  /**
   * Reads the version of the engine, until it is 2.
   *
   * @throws SinkRejectedError for another engine, SinkUnavailableError when Vault does not name it.
   */
  async function requireVersion2(signal: AbortSignal): Promise<void> {
    if (isVersion2) return;
    const path = `sys/internal/ui/mounts/${mount}`;
    const response = await send({ method: 'GET', path }, signal);
    const engine = mountSchema.safeParse(response.json).data?.data;
    if (!isSuccess(response) || !engine) {
      const problem =
        `${server}, ${path} responded with ${response.status}` +
        ' but did not name the version of the engine';
      const remedy = `grant the worker read on ${path}, and let proxies pass it`;
      throw new SinkUnavailableError(`${problem}: ${remedy}`, response.retryAfterMs);
    }
    const version = engine.options?.version ?? '1';
    isVersion2 = engine.type === 'kv' && version === '2';
    if (isVersion2) return;
    throw new SinkRejectedError(
      `${server} has an engine of type ${engine.type}, version ${version}, at ${mount}: ` +
        `run vault kv enable-versioning ${mount}, ` +
        'or correct mount and restart the workers; then redeliver',
    );
  }

  return {
    requireVersion2,

    /**
     * @returns the newest version, with its number: 0 if there is none. `data` is null if it is
     *   deleted or destroyed.
     * @throws SinkUnavailableError, SinkRejectedError, SecretUnavailableError
     */
    async read(path: string, signal: AbortSignal) {
      const response = await send({ method: 'GET', path: `${mount}/data/${path}` }, signal);
      const parsed = readSchema.safeParse(response.json);
      // Vault responds with 404 to a deleted version too, and with its number.
      if (parsed.success && [200, 404].includes(response.status)) {
        const { data, metadata } = parsed.data.data;
        return { version: metadata.version, data };
      }
      if (response.status === 404 && parseErrors(response)?.length === 0) {
        return { version: 0, data: null };
      }
      // A body that is not JSON, such as a sign-in page, comes from no engine.
      if (isSuccess(response) && response.json !== null) await requireVersion2(signal);
      throw errorAt(path, response);
    },

    /**
     * @param cas the version that the caller has read. If there is a newer one by now, nothing is
     *   written.
     * @returns the number of the new version.
     * @throws as `read`; SinkUnavailableError when another write came between.
     */
    async write(path: string, data: object, cas: number, signal: AbortSignal): Promise<number> {
      await requireVersion2(signal);
      const body = { options: { cas }, data };
      const request = { method: 'POST', path: `${mount}/data/${path}`, body } as const;
      const response = await send(request, signal);
      const isConflict = parseErrors(response)?.some((error) => error.includes('did not match'));
      if (response.status === 400 && isConflict) {
        throw new SinkUnavailableError(
          `${mount}/${path} in ${server} was written by others at the same time:` +
            ' the next attempt reads it again',
        );
      }
      if (!isSuccess(response)) throw errorAt(path, response);
      const parsed = writtenSchema.safeParse(response.json);
      if (parsed.success) return parsed.data.data.version;
      throw new SinkRejectedError(
        `${server} now has another engine at ${mount}:` +
          ` delete what was written to ${mount}/data/${path}, ` +
          'correct mount, restart the workers, then redeliver',
      );
    },
  };
}
