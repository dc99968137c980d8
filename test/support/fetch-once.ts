/**
 * Fetches over a connection of its own: on a busy machine a server closes an idle one as the next
 * request is sent.
 */
export function fetchOnce(url: string): Promise<Response> {
  return fetch(url, { headers: { connection: 'close' } });
}
