/** What a route says, before `envelope`, `pretty` and faults. A string body is sent as it is, any other as JSON. */
export interface Answer {
  status: number;
  body?: unknown;
  contentType?: string;
  headers?: Record<string, string>;
}

/** An answer ready for the wire. */
export interface Rendered {
  status: number;
  headers: Record<string, string>;
  payload: Buffer;
}

/** The published query parameters `envelope` and `pretty`. */
export function render(answer: Answer, query: Record<string, unknown>): Rendered {
  const enveloped = query['envelope'] === 'true' && typeof answer.body !== 'string';
  const body = enveloped ? envelop(answer) : answer.body;
  const payload = Buffer.from(
    body === undefined || typeof body === 'string'
      ? (body ?? '')
      : JSON.stringify(body, null, query['pretty'] === 'true' ? 2 : undefined),
  );
  const noContent = answer.status === 204 && !enveloped;
  return {
    status: enveloped ? 200 : answer.status,
    payload,
    headers: {
      ...(noContent
        ? {}
        : {
            'Content-Type': answer.contentType ?? 'application/json',
            'Content-Length': String(payload.length),
          }),
      ...answer.headers,
    },
  };
}

/** "Endpoints that return a list of results use the results object as an envelope", says the published page. */
function envelop({ status, body }: Answer): object {
  if (typeof body === 'object' && body !== null && 'results' in body) return { ...body, status };
  return { status, content: body ?? {} };
}
