import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Who may read and write a file. */
type Ownership = Pick<Stats, 'mode' | 'uid' | 'gid'>;

/** Fails for anything that exists, a symbolic link included. */
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Writes a temporary file with a random name beside `file` and renames it: a reader sees the former content or the new
 * one, never a part, even if several processes write at once. File and directory are flushed, so that neither is lost in a crash.
 * A process that is killed leaves its temporary file, `FILE.UUID.tmp`, behind.
 *
 * @param ownership taken over by the new file; by default it belongs to this process, with mode 0600.
 * @throws the error of the file system. If that comes from before the renaming, no temporary file is left.
 */
export async function writeFileAtomically(file: string, text: string, ownership?: Ownership): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  const handle = await open(temporary, CREATE, 0o600);
  try {
    try {
      await handle.writeFile(text);
      if (ownership) await handle.chown(ownership.uid, ownership.gid);
      // Explicitly, because the umask applies to the mode given to `open`.
      await handle.chmod((ownership?.mode ?? 0o600) & 0o7777);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(path.dirname(file));
}

/** Flushes the entries of a directory, so that a file renamed in it survives a crash. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The code of a failed system call, such as `ENOENT`. */
export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
