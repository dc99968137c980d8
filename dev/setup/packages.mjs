import { contentOf } from './stamp.mjs';

/**
 * Compares npm's record of what it installed with package-lock.json. npm leaves out optional
 * packages that are for other machines.
 */
export function arePackagesInstalled() {
  const installed = packagesIn('node_modules/.package-lock.json');
  const { '': _project, ...pinned } = packagesIn('package-lock.json');
  return Object.entries(pinned).every(([folder, { integrity, optional }]) =>
    folder in installed ? installed[folder]?.integrity === integrity : optional,
  );
}

/**
 * @typedef {Record<string, { integrity?: string, optional?: boolean }>} Packages by folder
 * @param {string} lockFile
 */
function packagesIn(lockFile) {
  /** @type {unknown} */
  const lock = JSON.parse(contentOf(lockFile) ?? '{}');
  return /** @type {{ packages?: Packages }} */ (lock).packages ?? {};
}
