import { z } from 'zod';
import type { HttpResponse } from '../http/response';
import { HttpError, createSender } from '../http/send';
import type { AtlasRequest, Endpoint, Send } from './credential';
import { connectionError } from './outcomes';

/** What is known of a request after it ended. */
export interface RequestSummary {
  endpoint: Endpoint;
  /** HTTP status; null when no complete response arrived. */
  status: number | null;
  durationMs: number;
}

export interface TransportOptions {
  /** Scheme, host and port, without a slash at the end. */
  baseUrl: string;
  requestTimeoutMs: number;
  /** True if responses come in an envelope, whose status then decides. */
  envelope: boolean;
  /** Called after each request. */
  onRequest?: ((request: RequestSummary) => void) | undefined;
}

/** Creates the transport that sends requests to Atlas, each once. */
export function createTransport({
  baseUrl,
  requestTimeoutMs,
  envelope,
  onRequest,
}: TransportOptions) {
  const sender = createSender(requestTimeoutMs);

  async function sendTimed({ endpoint, path, ...request }: AtlasRequest): Promise<HttpResponse> {
    const startedAtMs = performance.now();
    let status: number | null = null;
    try {
      const rawResponse = await sender.send({ ...request, url: baseUrl + path });
      const response = envelope ? unwrap(rawResponse) : rawResponse;
      status = response.status;
      return response;
    } finally {
      onRequest?.({ endpoint, status, durationMs: performance.now() - startedAtMs });
    }
  }

  const send: Send = (request) =>
    sendTimed(request).catch((error: unknown) => {
      if (!(error instanceof HttpError)) throw error;
      throw connectionError(request.endpoint, error.isWritten, error.code, baseUrl);
    });

  return {
    send,

    close: () => sender.close(),
  };
}

const envelopeSchema = z.object({
  status: z.int().min(100).max(599),
  content: z.unknown().optional(),
});

/**
 * Unwraps an envelope. MongoDB's pages say that the status is added to the body, and do not say
 * whether the rest is in `content`, so both forms are read. Any other response, such as an access
 * token or a proxy's page, stays as it is.
 */
function unwrap(response: HttpResponse): HttpResponse {
  const parsed = envelopeSchema.safeParse(response.json);
  if (!parsed.success) return response;
  const { status, content = response.json } = parsed.data;
  return { ...response, status, json: content };
}
