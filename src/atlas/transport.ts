import { z } from 'zod';
import type { HttpResponse } from '../http/response';
import { HttpError, createSender } from '../http/send';
import type { Secret } from '../secrets/references';
import type { AtlasRequest, Endpoint, Send } from './credential';
import { connectionError } from './failures';
import { redactCredentials } from './redact';

export interface TransportOptions {
  /** Scheme, host and port, without a slash at the end. */
  baseUrl: string;
  requestTimeoutMs: number;
  /** True if responses come in an envelope, whose status then decides. */
  envelope: boolean;
  /** Called after each request; `status` is null when no complete response arrived. */
  onRequest?: ((request: { endpoint: Endpoint; status: number | null; durationMs: number }) => void) | undefined;
}

/** Creates the transport that sends requests to Atlas, each once. A response that is not a success quotes no secret. */
export function createTransport({ baseUrl, requestTimeoutMs, envelope, onRequest }: TransportOptions) {
  const sender = createSender(requestTimeoutMs);

  async function sendTimed({ endpoint, path, abortUntilWritten, ...request }: AtlasRequest): Promise<HttpResponse> {
    const startedAtMs = performance.now();
    let status: number | null = null;
    try {
      const received = await sender.send({ ...request, url: baseUrl + path }, { abortUntilWritten });
      const response = envelope ? unwrap(received) : received;
      status = response.status;
      return response;
    } finally {
      onRequest?.({ endpoint, status, durationMs: performance.now() - startedAtMs });
    }
  }

  return {
    /** @param secret of the credential that signs the requests; a response that is not a success may quote it. */
    createSend(secret: Secret): Send {
      return async (request) => {
        const response = await sendTimed(request).catch((error: unknown) => {
          if (!(error instanceof HttpError)) throw error;
          throw connectionError(request.endpoint, error.written, error.code, baseUrl);
        });
        // A success may hold a token, which must stay as it is.
        if (response.status < 300) return response;
        return redactCredentials(response, request.headers['Authorization'], secret);
      };
    },

    close: () => sender.close(),
  };
}

const envelopeSchema = z.object({ status: z.int().min(100).max(599), content: z.unknown().optional() });

/** Unwraps an envelope. Any other response, such as an access token or a proxy's page, stays as it is. */
function unwrap(response: HttpResponse): HttpResponse {
  const parsed = envelopeSchema.safeParse(response.json);
  if (!parsed.success) return response;
  return { ...response, status: parsed.data.status, json: parsed.data.content ?? null };
}
