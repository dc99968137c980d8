/** What the text holds, or null where it is not JSON. The text is not quoted: it may hold a secret. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
