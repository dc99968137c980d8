import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Config, Installation } from './installation';

/** Sinks `files`, which works, and `blocked`, which rejects every token until it is repaired. */
export const WITH_BLOCKED_SINK: Config = {
  sinks: {
    files: { type: 'file', directory: 'tokens' },
    blocked: { type: 'file', directory: 'in-the-way' },
  },
};

/** The sink `blocked` of an installation with {@link WITH_BLOCKED_SINK}, blocked from now on. */
export function blockSink({ folder }: Pick<Installation, 'folder'>) {
  const directory = path.join(folder, 'in-the-way');
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const sink = {
    directory,
    block() {
      remove();
      writeFileSync(directory, 'a file where a folder should be');
    },
    repair() {
      remove();
      mkdirSync(directory);
    },
    /** Returns the tokens that it stored since it was repaired. */
    tokens: () =>
      readdirSync(directory).map((name) => readFileSync(path.join(directory, name), 'utf8')),
  };
  sink.block();
  return sink;
}
