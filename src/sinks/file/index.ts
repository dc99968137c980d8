import path from 'node:path';
import { z } from 'zod';
import type { ReferenceContext } from '../../secrets/read-secret';
import type { Sink, SinkType } from '../sink';
import { callFolderProcess } from './call-folder-process';
import { createQueue } from './folder-queue';

const configSchema = ({ baseDirectory }: ReferenceContext) =>
  z.strictObject({
    directory: z
      .string('name the directory for the tokens')
      .min(1, 'is empty')
      .transform((directory) => path.resolve(baseDirectory, directory)),
  });

type Config = z.output<ReturnType<typeof configSchema>>;

/**
 * Writes each token into a file of its own in one directory: the token and nothing else, mode 0600.
 */
export const fileSink: SinkType<Config> = { type: 'file', configSchema, create: createFileSink };

function createFileSink({ directory }: Config): Sink {
  const runInTurn = createQueue(directory);
  return {
    deliver({ orgId, sourceOrgId, deliveryId, linkToken }, signal) {
      const parts = [orgId, sourceOrgId, deliveryId, 'link-token'].filter((part) => part !== null);
      const file = path.join(directory, parts.join('.'));
      return runInTurn(() => callFolderProcess('storeToken', file, linkToken), signal);
    },
    check: (_target, signal) =>
      runInTurn(() => callFolderProcess('checkFolder', directory), signal),
  };
}
