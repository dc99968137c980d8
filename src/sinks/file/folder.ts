import { constants } from 'node:fs';
import { access, lstat, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  readFileIfPresent,
  systemErrorCode,
  syncDirectory,
  writeFileAtomically,
} from '../../files';
import { SinkRejectedError, SinkUnavailableError } from '../sink';

/** Times of the next sweep of each directory. */
const sweepAtMs = new Map<string, number>();

/**
 * Writes the token unless the file holds it already.
 *
 * @returns the location of the delivery.
 * @throws SinkUnavailableError, SinkRejectedError
 */
export async function storeToken(file: string, token: string): Promise<string> {
  const directory = path.dirname(file);
  try {
    // An attempt that was killed may have renamed the file without flushing the directory.
    if (await isAlreadyWritten(file, token)) await syncDirectory(directory);
    else await writeFileAtomically(file, token);
  } catch (error) {
    throw folderError(error, directory);
  }
  if (Date.now() >= (sweepAtMs.get(directory) ?? 0)) {
    sweepAtMs.set(directory, Date.now() + SWEEP_INTERVAL_MS);
    await removeExpiredTemporaryFiles(file);
  }
  return `file ${file} on the worker's host`;
}

/**
 * Checks that files can be written.
 *
 * @returns the result as a sentence.
 * @throws SinkUnavailableError, SinkRejectedError
 */
export async function checkFolder(directory: string): Promise<string> {
  try {
    // The trailing `/.` makes `access` fail with ENOTDIR for a file.
    await access(`${directory}/.`, constants.R_OK | constants.W_OK | constants.X_OK);
    const { mode } = await stat(directory);
    const isOpen = (mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0;
    const warning = '; every user of the host can write to it too: run chmod o-w on it';
    const result = `directory ${directory} can be written (free space was not checked)`;
    return isOpen ? result + warning : result;
  } catch (error) {
    throw folderError(error, directory);
  }
}

async function isAlreadyWritten(file: string, token: string): Promise<boolean> {
  const content = await readFileIfPresent(file);
  if (content === null) return false;
  if (content === token) return true;
  throw new SinkRejectedError(
    `${file} exists and was not written by this sink: move it away, then redeliver`,
  );
}

const WRITABLE_BY_OTHERS = 0o002;
const STICKY = 0o1000;

/** Age from which a temporary file is removed: more than the longest attempt that may use it. */
const TEMPORARY_FILE_EXPIRES_MS = 3_600_000;

/** A sweep lists the whole directory. */
const SWEEP_INTERVAL_MS = 60_000;

/** `ORGID[.SOURCEORGID].DELIVERYID.link-token.UUID.tmp` */
const TEMPORARY_FILE =
  /^[0-9a-f]{24}(\.[0-9a-f]{24})?\.[0-9a-f-]{36}\.link-token\.[0-9a-f-]{36}\.tmp$/;

/**
 * Removes temporary files of killed attempts, which may hold a token. Never throws.
 *
 * @param writtenFile a token file in the directory. Its time is that of the file system, like those
 *   of the temporary files; with the time of this worker, a wrong clock would remove files that
 *   other workers are writing.
 */
async function removeExpiredTemporaryFiles(writtenFile: string): Promise<void> {
  const directory = path.dirname(writtenFile);
  try {
    const expired = (await stat(writtenFile)).mtimeMs - TEMPORARY_FILE_EXPIRES_MS;
    for (const name of await readdir(directory)) {
      if (!TEMPORARY_FILE.test(name)) continue;
      const file = path.join(directory, name);
      if ((await lstat(file)).mtimeMs < expired) await rm(file, { force: true });
    }
  } catch {
    // A later delivery removes them.
  }
}

const REMEDIES = new Map([
  ['EACCES', 'grant the worker access'],
  ['EPERM', 'grant the worker access'],
  ['ENOENT', 'create it'],
  ['ENOSPC', 'free space'],
  ['EDQUOT', 'raise the quota'],
  ['EROFS', 'mount it writable'],
]);

/** Builds the error for a failed operation. Only ENOTDIR is permanent: it needs another path. */
function folderError(error: unknown, directory: string): Error {
  if (error instanceof SinkRejectedError) return error;
  const code = systemErrorCode(error);
  const folder = `the directory ${directory} of the sink`;
  if (code === 'ENOTDIR') {
    return new SinkRejectedError(
      `${folder} is not a directory: correct its path and restart the workers`,
    );
  }
  const remedy = REMEDIES.get(code) ?? 'check its file system';
  return new SinkUnavailableError(`${folder} cannot be written (${code}): ${remedy}`);
}
