import { readFileSync } from 'node:fs';
import path from 'node:path';

const { version, homepage } = JSON.parse(
  readFileSync(path.join(__dirname, '../package.json'), 'utf8'),
) as {
  version: string;
  homepage: string;
};

export const VERSION = version;

/** The folder of the documentation on the web. */
export const DOCS_URL = `${homepage.replace('#readme', '')}/blob/main/docs`;
