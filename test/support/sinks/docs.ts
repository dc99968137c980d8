import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileNameOf } from './file-name';

export const SINK_DOCS = path.resolve(__dirname, '../../../docs/sinks');

/** The page of a type of sink. */
export const pageOf = (type: string) => readFileSync(path.join(SINK_DOCS, `${fileNameOf(type)}.md`), 'utf8');

/** The code blocks of a page in one language. */
export function blocksIn(page: string, language: string): string[] {
  return [...page.matchAll(/^```(\w+)\n([^]*?)^```/gm)].flatMap(([, of, block = '']) =>
    of === language ? [block] : [],
  );
}

/** The only code block of the page in that language. */
export function blockOf(type: string, language: string): string {
  const [block, ...others] = blocksIn(pageOf(type), language);
  if (block === undefined || others.length > 0)
    throw new Error(`docs/sinks: ${type} has not one block of ${language}`);
  return block;
}
