/** Formats the message of a run whose retry deadline ended the creation. */
export function gaveUp(lastError: string, why = 'the retry deadline passed'): string {
  return `gave up: ${why}; last error: ${lastError}; start again once that is resolved`;
}

/** Removes the stack of a failure whose message says everything: each history would store it. */
export function withoutStack<Failure extends Error>(failure: Failure): Failure {
  failure.stack = '';
  return failure;
}
