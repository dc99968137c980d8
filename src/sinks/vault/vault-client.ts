import { z } from 'zod';
import { firstEntries, type HttpResponse } from '../../http/response';
import type { HttpRequest } from '../../http/send';
import type { Secret } from '../../secrets/read-secret';
import { SinkUnavailableError } from '../sink';
import { createSinkSend, joinUrl, statusError, type Advice } from '../utils/http-outcomes';

export interface VaultRequest {
  method: 'GET' | 'POST';
  /** Path below `/v1/`. */
  path: string;
  body?: object;
}

export type VaultClient = ReturnType<typeof createVaultClient>;

/**
 * Creates a client that sends the Vault token as it is at the time of each request: a file of it
 * may be replaced.
 *
 * @param timeoutMs limit for one request, its response included.
 */
export function createVaultClient(
  address: URL,
  namespace: string | undefined,
  token: Secret,
  timeoutMs: number,
) {
  const server = `Vault at ${address.origin}`;
  const send = createSinkSend(server, timeoutMs);

  function makeHeaders(): Record<string, string> {
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      // A Vault Agent or Proxy may require it, against forged requests.
      'x-vault-request': 'true',
      'x-vault-token': token.read(),
    };
    if (namespace !== undefined) headers['x-vault-namespace'] = namespace;
    return headers;
  }

  return {
    /** Name for messages, such as `Vault at https://…`. */
    server,
    /** Name for messages, such as `the token from file /run/vault-token`. */
    identity: `the token from ${token.source}`,
    /**
     * @throws SecretUnavailableError when the token cannot be read, SinkUnavailableError when no
     *   complete response arrives, or the reason of `signal`.
     */
    send: async (
      { method, path, body }: VaultRequest,
      signal: AbortSignal,
    ): Promise<HttpResponse> => {
      const url = joinUrl(address, `/v1/${path}`);
      const request: HttpRequest = { method, url, headers: makeHeaders() };
      if (body) request.body = JSON.stringify(body);
      return send(request, signal);
    },
  };
}

/** Builds the error for a response of Vault at a path; see `statusError`. */
export function vaultError(
  { server, identity }: Pick<VaultClient, 'server' | 'identity'>,
  path: string,
  response: HttpResponse,
  advice: Advice,
): Error {
  const what = `${server}, ${path}`;
  const reason = findTemporaryReason(response, identity);
  if (reason === null) return statusError(what, response, advice);
  return new SinkUnavailableError(
    `${what} responded with ${response.status}: ${reason}`,
    response.retryAfterMs,
  );
}

/** Says why a refusal is temporary where its status alone does not tell; else null. */
function findTemporaryReason(response: HttpResponse, identity: string): string | null {
  const { status } = response;
  // For an invalid token as well as for a denied path.
  if (status === 403) {
    return (
      `${identity} is wrong, expired or revoked, or its policy denies the path; ` +
      'replace it (the log of Vault Agent says why a login fails), ' +
      'or grant create, read and update on the path. ' +
      'Then "live-migration-prep doctor --remote" checks the token at once, ' +
      'and "live-migration-prep redeliver" delivers'
    );
  }
  // A redirect would send the token to an address that no operator configured.
  if (status === 307) {
    return (
      'this node is on standby, and no node was active;' +
      ' if that lasts, configure the address of the active node'
    );
  }
  if (status === 412) return 'this node lags behind';
  if (status === 503) return 'it is sealed or down: unseal it';
  if (parseErrors(response)?.some((error) => error.startsWith('Upgrading'))) {
    return 'the key/value engine is still being set up';
  }
  // The body says what these mean.
  if ([400, 404].includes(status) && response.text === '') {
    return 'the body of the response is missing';
  }
  return null;
}

const errorsSchema = z.object({ errors: firstEntries(z.string(), 20) });

/** @returns undefined if the body is not an error response of Vault. */
export function parseErrors({ json }: HttpResponse): string[] | undefined {
  return errorsSchema.safeParse(json).data?.errors;
}
