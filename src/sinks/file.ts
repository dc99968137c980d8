import { constants } from 'node:fs';
import { access, lstat, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readFileIfPresent, systemErrorCode, syncDirectory, writeFileAtomically } from '../files';
import type { ReferenceContext } from '../secrets/references';
import { SinkRejectedError, SinkUnavailableError, type Delivery, type Sink, type SinkType } from './sink';

const configSchema = ({ baseDirectory }: ReferenceContext) =>
  z.strictObject({
    directory: z
      .string('name the directory for the tokens')
      .min(1, 'is empty')
      .transform((directory) => path.resolve(baseDirectory, directory)),
  });

type Config = z.output<ReturnType<typeof configSchema>>;

/** Writes each token into a file of its own in one directory: the token and nothing else, mode 0600. */
export const fileSink: SinkType<'file', Config> = { type: 'file', configSchema, create: createFileSink };

function createFileSink({ directory }: Config): Sink {
  let sweepAtMs = 0;

  return {
    async deliver(delivery, signal) {
      signal.throwIfAborted();
      const file = path.join(directory, formatFileName(delivery));
      try {
        // An attempt that was killed may have renamed the file without flushing the directory.
        if (await isAlreadyWritten(file, delivery.token)) await syncDirectory(directory);
        else await writeFileAtomically(file, delivery.token);
      } catch (error) {
        throw toSinkError(error, directory);
      }
      if (Date.now() >= sweepAtMs) {
        sweepAtMs = Date.now() + SWEEP_INTERVAL_MS;
        await removeExpiredTemporaryFiles(directory);
      }
      return `file ${file} on the worker's host`;
    },

    async check() {
      try {
        // The trailing `/.` makes `access` fail with ENOTDIR for a file.
        await access(`${directory}/.`, constants.W_OK | constants.X_OK);
        const { mode } = await stat(directory);
        const isOpen = (mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0;
        return `directory ${directory} can be written${isOpen ? ', by every user of the host: chmod o-w it' : ''}`;
      } catch (error) {
        throw toSinkError(error, directory);
      }
    },
  };
}

function formatFileName({ orgId, sourceOrgId, deliveryId }: Delivery): string {
  return [orgId, sourceOrgId, deliveryId, 'link-token'].filter((part) => part !== null).join('.');
}

async function isAlreadyWritten(file: string, token: string): Promise<boolean> {
  const found = await readFileIfPresent(file);
  if (found === null) return false;
  if (found === token) return true;
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
const TEMPORARY_FILE = /^[0-9a-f]{24}(\.[0-9a-f]{24})?\.[0-9a-f-]{36}\.link-token\.[0-9a-f-]{36}\.tmp$/;

/** Removes temporary files of killed attempts, which may hold a token. Never throws. */
async function removeExpiredTemporaryFiles(directory: string): Promise<void> {
  const expired = Date.now() - TEMPORARY_FILE_EXPIRES_MS;
  try {
    for (const name of await readdir(directory)) {
      if (!TEMPORARY_FILE.test(name)) continue;
      const file = path.join(directory, name);
      if ((await lstat(file)).mtimeMs < expired) await rm(file, { force: true });
    }
  } catch {
    // A later delivery tries again.
  }
}

/** Makes a sink error. All but a path that is no directory can be fixed while the token waits. */
function toSinkError(error: unknown, directory: string): Error {
  if (error instanceof SinkRejectedError) return error;
  const code = systemErrorCode(error);
  return code === 'ENOTDIR'
    ? new SinkRejectedError(`the directory ${directory} of the sink is not a directory: correct its path`)
    : new SinkUnavailableError(
        `the directory ${directory} of the sink cannot be written (${code}): ` +
          'create it, free space or grant the worker access',
      );
}
