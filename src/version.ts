import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const { version, homepage } = JSON.parse(
  readFileSync(path.join(__dirname, '../package.json'), 'utf8'),
) as {
  version: string;
  homepage: string;
};

export const VERSION = version;

/**
 * What Temporal calls this process as a worker. As by default, with the version: `temporal worker
 * list` tells the workers of two releases apart.
 */
export const WORKER_IDENTITY = `${process.pid}@${os.hostname()}@${VERSION}`;

/** The folder of the documentation on the web. */
export const DOCS_URL = `${homepage.replace('#readme', '')}/blob/main/docs`;
