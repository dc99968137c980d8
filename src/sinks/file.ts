import { constants } from 'node:fs';
import { access, lstat, open, readFile, realpath, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { SinkRejectedError, SinkUnavailableError, type Delivery, type Sink, type SinkType } from './sink';

interface FileSinkConfig {
  directory: string;
}

/** Writes each token into a file of its own in one directory: the token and nothing else, mode 0600. */
export const fileSink: SinkType<FileSinkConfig> = {
  type: 'file',
  configSchema: ({ baseDirectory }) =>
    z.strictObject({
      directory: z
        .string('name the directory for the tokens')
        .min(1, 'is empty')
        .refine((directory) => !directory.includes('\0'), 'contains a NUL')
        .transform((directory) => path.resolve(baseDirectory, directory)),
    }),
  create: ({ directory }) => Promise.resolve(createFileSink(directory)),
};

function createFileSink(directory: string): Sink {
  return {
    async deliver(delivery, signal) {
      signal.throwIfAborted();
      try {
        const file = path.join(await realpath(directory), fileNameOf(delivery));
        if (!(await alreadyWritten(file, delivery.token))) await writeOnce(file, delivery.token);
        await syncDirectory(path.dirname(file));
        return `file ${file} on the worker's host`;
      } catch (error) {
        throw sinkErrorOf(error, directory);
      }
    },

    async check() {
      try {
        await access(await realpath(directory), constants.W_OK | constants.X_OK);
      } catch (error) {
        throw sinkErrorOf(error, directory);
      }
      return `directory ${directory} can be written`;
    },
  };
}

/** Made of validated hexadecimal ids and a UUID, so it cannot leave the directory. */
function fileNameOf({ orgId, sourceOrgId, deliveryId }: Delivery): string {
  return [orgId, sourceOrgId, deliveryId, 'link-token'].filter(Boolean).join('.');
}

async function alreadyWritten(file: string, token: string): Promise<boolean> {
  let found;
  try {
    found = await lstat(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  if (found.isFile() && (await readFile(file, 'utf8')) === token) return true;
  throw new SinkRejectedError(
    `${file} exists and is not this token's file: another hand made it; move it away, then redeliver`,
  );
}

/** Beside and renamed, so that a reader sees the whole token or no file; fsynced, so that a crash loses neither. */
async function writeOnce(file: string, token: string): Promise<void> {
  const temporary = `${file}.tmp`;
  await rm(temporary, { force: true });
  try {
    const handle = await open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      await handle.writeFile(token);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Paths that no waiting mends. Everything else (a full disk, a missing mount, a permission) an operator can mend. */
const NEVER_WORKS: Readonly<Record<string, string>> = {
  ENOTDIR: 'is not a directory',
  ELOOP: 'is a circle of links',
  ENAMETOOLONG: 'makes names too long for the file system',
};

function sinkErrorOf(error: unknown, directory: string): Error {
  if (error instanceof SinkRejectedError) return error;
  const code = codeOf(error);
  const never = NEVER_WORKS[code];
  if (never) return new SinkRejectedError(`the sink's directory ${directory} ${never}: correct its path`);
  return new SinkUnavailableError(
    `the sink's directory ${directory} cannot be written (${code}): create it, free space or grant the worker access`,
  );
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
