import { z } from 'zod';
import { firstEntries, type HttpResponse } from '../../http/response';
import { SinkUnavailableError, type SinkRejectedError } from '../sink';
import { createSinkSend, joinUrl, responseError, type Advice } from '../utils/http';

/** Sends one request to Vault, with `token` in its header. `path` is below `/v1/`. */
export type VaultSend = (
  request: { method: 'GET' | 'POST'; path: string; token?: string; body?: object },
  signal: AbortSignal,
) => Promise<HttpResponse>;

/** @param server name for messages, such as `Vault at https://…`. */
export function createVaultSend(
  server: string,
  { address, namespace, timeoutMs }: { address: URL; namespace?: string | undefined; timeoutMs: number },
): VaultSend {
  const send = createSinkSend(server, timeoutMs);
  return ({ method, path, token, body }, signal) =>
    send(
      {
        method,
        url: joinUrl(address, `/v1/${path}`),
        headers: {
          'content-type': 'application/json',
          // A Vault Agent may require it, against forged requests.
          'x-vault-request': 'true',
          ...(token !== undefined && { 'x-vault-token': token }),
          ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
        },
        ...(body && { body: JSON.stringify(body) }),
      },
      signal,
    );
}

/** @param what server and request, such as `Vault at https://…, secret/data/…`. */
export function vaultError(
  what: string,
  response: HttpResponse,
  advice: Advice,
): SinkRejectedError | SinkUnavailableError {
  const reason = findTemporaryReason(response);
  if (reason === null) return responseError(what, response, advice);
  return new SinkUnavailableError(
    `${what} responded with ${response.status}: ${reason}`,
    response.retryAfterMs,
  );
}

/** Finds why a refusal may end without a change to the sink, or null. */
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
