import path from 'node:path';
import { contentOf } from './stamp.mjs';

/** @typedef {{ integrity?: string, optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} Package */

/**
 * Tells whether node_modules holds every package that package-lock.json pins for this machine. npm keeps a record of
 * what is installed, so a later `npm prune` or `npm install` is noticed too.
 */
export function arePackagesInstalled(root = '.') {
  const installed = packagesIn(path.join(root, 'node_modules/.package-lock.json'));
  return Object.entries(packagesIn(path.join(root, 'package-lock.json'))).every(([folder, pinned]) => {
    const found = installed[folder];
    if (!found && (isOfAnyMachine(pinned) || !isForThisMachine(pinned))) return true;
    return found?.integrity === pinned.integrity;
  });
}

/** Reads the packages of a lock file by folder. @param {string} lockFile @returns {Record<string, Package>} */
function packagesIn(lockFile) {
  /** @type {unknown} */
  const lock = JSON.parse(contentOf(lockFile) ?? '{}');
  return /** @type {{ packages?: Record<string, Package> }} */ (lock).packages ?? {};
}

/**
 * Tells whether an optional package names no machine: the packages that need it may all be for others, and npm leaves
 * it out with them.
 *
 * @param {Package} pinned
 */
function isOfAnyMachine({ optional, os, cpu }) {
  return optional === true && !os && !cpu;
}

/** @param {Package} pinned */
function isForThisMachine({ os, cpu, libc }) {
  const { platform, arch } = process;
  // Node does not say which libc it has. Another machine's node_modules lack other packages, too.
  return !libc && (!os || os.includes(platform)) && (!cpu || cpu.includes(arch));
}
