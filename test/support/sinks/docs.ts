import { readFileSync } from 'node:fs';
import path from 'node:path';

export const SINK_DOCS = path.resolve(__dirname, '../../../docs/sinks');

/** The name of a type's file and of its page: `awsSecretsManager` is `aws-secrets-manager`. */
export function fileNameOf(type: string): string {
  return type.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

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
