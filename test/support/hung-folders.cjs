/**
 * Preloaded into a worker: reading a file in a folder `hung-N` holds a thread until a writer opens
 * the FIFO `hung-N.fifo`.
 */
const { promises } = require('node:fs');

const { readFile } = promises;
/** @type {any} */ (promises).readFile = async (
  /** @type {string} */ file,
  /** @type {any} */ ...rest
) => {
  const [, folder] = /^(.*\/hung-\d)\//.exec(file) ?? [];
  if (folder) await readFile(`${folder}.fifo`).catch(() => undefined);
  return readFile(file, ...rest);
};
