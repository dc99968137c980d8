import { z } from 'zod';
import { firstEntries, type HttpResponse } from '../../http/response';
import { SinkUnavailableError } from '../sink';
import { createSinkSend, joinUrl, statusError, type Advice } from '../utils/http';

export interface VaultRequest {
  method: 'GET' | 'POST';
  /** Path below `/v1/`. */
  path: string;
  token?: string;
  body?: object;
}

export type VaultClient = ReturnType<typeof createVaultClient>;

export function createVaultClient(address: URL, namespace: string | undefined, timeoutMs: number) {
  const server = `Vault at ${address.origin}`;
  const send = createSinkSend(server, timeoutMs);
  return {
    /** Name for messages, such as `Vault at https://…`. */
    server,
    /** The address and the namespace: what a login is valid for. */
    target: JSON.stringify([address.href, namespace]),
    /** @throws SinkUnavailableError when no complete response arrives, or the reason of `signal`. */
    send: ({ method, path, token, body }: VaultRequest, signal: AbortSignal): Promise<HttpResponse> => {
      const headers = {
        'content-type': 'application/json',
        // A Vault Agent may require it, against forged requests.
        'x-vault-request': 'true',
        ...(token !== undefined && { 'x-vault-token': token }),
        ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
      };
      const url = joinUrl(address, `/v1/${path}`);
      return send({ method, url, headers, ...(body && { body: JSON.stringify(body) }) }, signal);
    },
  };
}

/** Makes the error for a response of Vault; see `statusError`. */
export function vaultError(what: string, response: HttpResponse, advice: Advice): Error {
  const reason = findTemporaryReason(response);
  if (reason === null) return statusError(what, response, advice);
  return new SinkUnavailableError(`${what} responded with ${response.status}: ${reason}`, response.retryAfterMs);
}

/** Finds why a refusal may end without a change to the sink, although its status alone does not say so; or null. */
function findTemporaryReason(response: HttpResponse): string | null {
  const { status } = response;
  // A redirect would send the token to an address that no operator configured.
  if (status === 307) {
    return 'this node is on standby, and no node was active; if that lasts, configure the address of the active node';
  }
  if (status === 412) return 'this node lags behind';
  if (status === 503) return 'it is sealed or down: unseal it';
  if (parseErrors(response)?.some((error) => error.startsWith('Upgrading'))) {
    return 'the key/value engine is still being set up';
  }
  // The body says what these mean.
  if ([400, 404].includes(status) && response.text === '') return 'the body of the response is missing';
  return null;
}

const errorsSchema = z.object({ errors: firstEntries(z.string(), 20) });

/** @returns undefined if the body is not an error response of Vault. */
export function parseErrors({ json }: HttpResponse): string[] | undefined {
  return errorsSchema.safeParse(json).data?.errors;
}
