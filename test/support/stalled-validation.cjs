/**
 * Preloaded into a worker: validation says that it began, by the file in STALLED_VALIDATION, and
 * does not end.
 */
const { writeFileSync } = require('node:fs');
/** @type {any} */
const Module = require('node:module');

const load = Module._load;
Module._load = (/** @type {string} */ request, /** @type {unknown[]} */ ...others) => {
  const loaded = load(request, ...others);
  if (request !== './validate-request') return loaded;
  const stalled = async () => {
    writeFileSync(process.env['STALLED_VALIDATION'] ?? '', '');
    await new Promise(() => undefined);
  };
  return { ...loaded, validateRequestActivity: () => stalled };
};
