import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(__dirname, '../..');

/** Reads a Markdown file, whose name is relative to the root. */
export function page(name: string): string {
  return readFileSync(path.join(ROOT, name), 'utf8');
}

/** Names every Markdown file of the repository, without what is installed. */
export function pageNames(): string[] {
  const below = ['docs', 'dev', 'examples', '.github'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      path.join(folder, name),
    ),
  );
  const isOurs = (name: string) =>
    name.endsWith('.md') && !/\/(node_modules|\.cache|\.venv)\//.test(name);
  return [...readdirSync(ROOT), ...below].filter(isOurs);
}

const withoutBlocks = (text: string) => text.replace(/^ *```[^]*?^ *```$/gm, '');

/** Finds what the group of a pattern matches. */
export function matchesIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, match = '']) => match);
}

/** The content of the fenced blocks of one language. */
export function codeBlocks(text: string, language: string): string[] {
  return matchesIn(text, new RegExp(`^ *\`\`\`${language}\\n([^]*?)^ *\`\`\`$`, 'gm'));
}

/** Text in backticks, outside fenced blocks. */
export function codeSpans(text: string): string[] {
  return matchesIn(withoutBlocks(text), /`([^`\n]+)`/g);
}

/** Relative targets of links and images, with the anchor. */
export function relativeLinks(text: string): string[] {
  return matchesIn(withoutBlocks(text), /\]\((?![a-z]+:)([^)\s]+)\)/g);
}

/** Anchors of the headings, as GitHub makes them. */
export function anchors(text: string): string[] {
  const headings = matchesIn(withoutBlocks(text), /^#+ (.*)$/gm);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replace(/\s/g, '-'),
  );
}

/** The part below one heading, up to the next. */
export function sectionBelow(text: string, heading: string): string {
  const section = text.split(/^#+ (?=[A-Z])/m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`there is no heading ${heading}`);
  return section;
}

/** The rows of every table: the text of each cell. */
function tableRows(text: string): string[][] {
  const rows = matchesIn(withoutBlocks(text), /^ *\| (.*) \|$/gm);
  return rows.map((row) => row.split('|').map((cell) => cell.trim()));
}

/** The rows of the one table below a heading, without its head. */
export function tableBelow(text: string, heading: string): string[][] {
  return tableRows(sectionBelow(text, heading)).slice(2);
}
