/**
 * Preloaded into every worker of a test: its check of the credentials comes at once with
 * CREDENTIAL_CHECKS=now, and else never, since its requests would meet the faults of the test.
 */
/** @type {any} */
const Module = require('node:module');

const load = Module._load;
Module._load = (/** @type {string} */ request, /** @type {unknown[]} */ ...others) => {
  const loaded = load(request, ...others);
  if (request !== './log-credential-checks') return loaded;
  if (process.env['CREDENTIAL_CHECKS'] !== 'now')
    return { logCredentialChecks: async () => undefined };
  return {
    logCredentialChecks(/** @type {unknown[]} */ ...args) {
      const { random } = Math;
      // The first use of it is the delay.
      Math.random = () => 0;
      const checked = loaded.logCredentialChecks(...args);
      Math.random = random;
      return checked;
    },
  };
};
