import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(__dirname, '../../..');

/** One Markdown file; `name` is relative to the root. */
interface Page {
  name: string;
  text: string;
}

export function page(name: string): Page {
  return { name, text: readFileSync(path.join(ROOT, name), 'utf8') };
}

/** Every Markdown file of the repository, without what is installed. */
export function pages(): Page[] {
  const isOurs = (name: string) => !/(^|\/)(node_modules|\.cache|\.venv|dist)\//.test(name);
  const names = ['docs', 'examples', '.github'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      path.join(folder, name),
    ),
  );
  return [...readdirSync(ROOT), ...names].filter((name) => name.endsWith('.md') && isOurs(name)).map(page);
}

const withoutBlocks = ({ text }: Page) => text.replace(/^ *```[^]*?^ *```$/gm, '');

const matchesIn = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, match = '']) => match);

/** The content of the fenced blocks of one language. */
export function codeBlocks({ text }: Page, language: string): string[] {
  return matchesIn(text, new RegExp(`^ *\`\`\`${language}\\n([^]*?)^ *\`\`\`$`, 'gm'));
}

/** Text in backticks, outside fenced blocks. */
export function codeSpans(found: Page): string[] {
  return matchesIn(withoutBlocks(found), /`([^`\n]+)`/g);
}

/** Relative targets of links and images, with the anchor. */
export function relativeLinks(found: Page): string[] {
  return matchesIn(withoutBlocks(found), /\]\(([^)\s]+)\)/g).filter((target) => !/^[a-z]+:/.test(target));
}

/** Anchors of the headings, as GitHub makes them. */
export function anchors(found: Page): string[] {
  return matchesIn(withoutBlocks(found), /^#+ (.*)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

/** The part below one heading, up to the next. */
export function sectionBelow({ name, text }: Page, heading: string): Page {
  const sections = text.split(/^(?=#+ [A-Z])/m);
  const section = sections.find((part) => part.replace(/^#+ /, '').startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`${name} has no heading ${heading}`);
  return { name, text: section };
}

const cellsOf = (row: string) =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

/** The cells of every table, their links as text. */
export function tableCells(found: Page): string[] {
  const rows = withoutBlocks(found).match(/^ *\|.*$/gm) ?? [];
  return rows.flatMap((row) => cellsOf(row.replace(/\]\([^)]*\)/g, ']')));
}

/** The rows of the first table below a heading: the text of each cell. */
export function tableBelow(found: Page, heading: string): string[][] {
  const [rows = ''] = /^(?:\|.*\n)+/m.exec(sectionBelow(found, heading).text) ?? [];
  return rows.trimEnd().split('\n').slice(2).map(cellsOf);
}
