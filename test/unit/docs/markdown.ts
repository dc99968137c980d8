import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(__dirname, '../../..');

/** One Markdown file; `name` is relative to the root. */
export interface Page {
  name: string;
  text: string;
}

/** Every Markdown file of the repository, without what is installed. */
export function pages(): Page[] {
  const isOurs = (name: string) => !/(^|\/)(node_modules|\.cache|\.venv|dist)\//.test(name);
  return [...readdirSync(ROOT, { withFileTypes: true })]
    .flatMap((entry) => {
      if (entry.isFile()) return [entry.name];
      if (!['docs', 'examples', '.github'].includes(entry.name)) return [];
      return readdirSync(path.join(ROOT, entry.name), { recursive: true, encoding: 'utf8' }).map((name) =>
        path.join(entry.name, name),
      );
    })
    .filter((name) => name.endsWith('.md') && isOurs(name))
    .map((name) => ({ name, text: readFileSync(path.join(ROOT, name), 'utf8') }));
}

export function page(name: string): Page {
  return { name, text: readFileSync(path.join(ROOT, name), 'utf8') };
}

/** The content of the fenced blocks of one language. */
export function codeBlocks({ text }: Page, language: string): string[] {
  return [...text.matchAll(/^ *```(\w*)\n([^]*?)^ *```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code = '']) => code);
}

/** Text in backticks, outside fenced blocks. */
export function codeSpans({ text }: Page): string[] {
  const prose = text.replace(/^ *```[^]*?^ *```$/gm, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

/** Relative targets of links and images, with the anchor. */
export function relativeLinks({ text }: Page): string[] {
  const prose = text.replace(/^ *```[^]*?^ *```$/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Anchors of the headings, as GitHub makes them. */
export function anchors({ text }: Page): string[] {
  const prose = text.replace(/^ *```[^]*?^ *```$/gm, '');
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

/** The part below one heading, up to the next. */
export function sectionBelow({ name, text }: Page, heading: string): Page {
  const section = text
    .split(/^(?=#+ [A-Z])/m)
    .find((part) => part.replace(/^#+ /, '').startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`${name} has no heading ${heading}`);
  return { name, text: section };
}

/** The rows of the first table below a heading: the text of each cell. */
export function tableBelow(found: Page, heading: string): string[][] {
  const [, rows = ''] = /^((?:\|.*\n)+)/m.exec(sectionBelow(found, heading).text) ?? [];
  return rows
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((row) => row.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}
