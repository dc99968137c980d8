import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

const POLL_MS = 100;

/**
 * Does some work while no other process does it.
 *
 * @param onWait told the id of the process that is waited for.
 */
export async function withLock(file, onWait, work) {
  await acquire(file, onWait);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function acquire(file, onWait) {
  const self = String(process.pid);
  let waitedFor;
  mkdirSync(path.dirname(file), { recursive: true });
  for (;;) {
    const holder = holderOf(file);
    if (holder === null) {
      if (create(file, self)) return;
    } else if (holder !== self && isAlive(holder)) {
      if (holder !== waitedFor) onWait(holder);
      waitedFor = holder;
      await setTimeout(POLL_MS);
    } else {
      // Several may find that the holder died: all write, and the last one, who still stands after a while, has it.
      writeFileSync(file, self);
      await setTimeout(POLL_MS);
      if (holderOf(file) === self) return;
    }
  }
}

function create(file, content) {
  try {
    writeFileSync(file, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function holderOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
