import { existsSync } from 'node:fs';
import path from 'node:path';
import { responseError } from '../../../src/atlas/outcomes';
import { EXIT_CODES } from '../../../src/commands/cli/exit-codes';
import { runProgram } from '../../../src/commands/program';
import { DELIVERY_FAILURE_TYPES, FAILURE_TYPES, REFUSAL_TYPES } from '../../../src/contract/names';
import { receiptSchema } from '../../../src/contract/schemas';
import {
  ROOT,
  anchors,
  codeBlocks,
  codeSpans,
  page,
  pages,
  relativeLinks,
  tableBelow,
  tableCells,
} from './markdown';

describe.each(pages().map((found) => [found.name, found] as const))('%s', (name, found) => {
  it('links only to what is there', () => {
    const missing = relativeLinks(found).filter((link) => {
      const [target = '', anchor] = link.split('#');
      const file = target ? path.join(path.dirname(name), target) : name;
      if (!existsSync(path.join(ROOT, file))) return true;
      return anchor !== undefined && !anchors(page(file)).includes(anchor);
    });
    expect(missing).toEqual([]);
  });

  it('names only commands and options that exist', async () => {
    const unknown = await Promise.all(invocationsIn(found).map(unknownPartOf));
    expect(unknown.filter(Boolean)).toEqual([]);
  });

  it('has no table cell of more than 25 words', () => {
    const isLong = (cell: string) => (cell.match(/\S*\w\S*/g) ?? []).length > 25;
    expect(tableCells(found).filter(isLong)).toEqual([]);
  });

  it('has JSON that parses', () => {
    for (const json of codeBlocks(found, 'json')) expect(() => JSON.parse(json) as unknown).not.toThrow();
  });
});

it('README has at most 120 lines', () => {
  expect(page('README.md').text.trimEnd().split('\n').length).toBeLessThanOrEqual(120);
});

const firstCells = (name: string, heading: string) =>
  tableBelow(page(name), heading).map(([cell = '']) => cell.replaceAll('`', ''));

it('docs/commands.md describes every command and exit code', async () => {
  const documented = firstCells('docs/commands.md', 'Commands');
  expect(documented.sort()).toEqual((await commandNames()).sort());
  expect(firstCells('docs/commands.md', 'Exit codes')).toEqual(Object.values(EXIT_CODES).map(String));
});

it('docs/contract.md explains every failure type and shows every field of a receipt', () => {
  expect(firstCells('docs/contract.md', 'How a run ends')).toEqual(FAILURE_TYPES);
  expect(firstCells('docs/contract.md', 'What the Updates fail with')).toEqual(DELIVERY_FAILURE_TYPES);
  expect(firstCells('docs/contract.md', 'How an Update is refused')).toEqual(REFUSAL_TYPES);
  const [receipt = ''] = codeBlocks(page('docs/contract.md'), 'json');
  const fields = Object.keys(receiptSchema.shape).sort();
  expect(Object.keys(JSON.parse(receipt) as object).sort()).toEqual(fields);
});

describe('the table of responses in docs/architecture.md says what the code does', () => {
  const table = tableBelow(page('docs/architecture.md'), 'What a response from Atlas leads to');
  const rows = table.flatMap(([response = '', outcome = '', tokenMayExist = '']) => {
    if (response.includes('with a token')) return [];
    const [statuses = ''] = /^\d{3}(, \d{3})*/.exec(response) ?? [];
    return statuses
      .split(', ')
      .flatMap((status) => (status ? [[Number(status), outcome, tokenMayExist] as const] : []));
  });

  it('it has a row for each class of status', () => {
    expect(new Set(rows.map(([status]) => Math.floor(status / 100)))).toEqual(new Set([2, 3, 4, 5]));
  });

  it.each(rows)('%i: %s', (status, outcome, tokenMayExist) => {
    const response = { status, json: null, retryAfterMs: undefined };
    const classified = responseError('linkTokens', response).outcome;
    expect([
      classified.retryable ? 'retried' : `fails: \`${classified.type}\``,
      classified.tokenMayExist ? 'yes' : 'no',
    ]).toEqual([outcome.split(',')[0], tokenMayExist]);
  });
});

async function help(...command: string[]): Promise<string> {
  let text = '';
  const stream = { write: (chunk: string) => (text += chunk) };
  await runProgram({ env: {}, stdout: stream, stderr: stream }, [...command, '--help']);
  return text;
}

/** Names commands in full, such as `schedule create`. */
async function commandNames(...parent: string[]): Promise<string[]> {
  const [, list = ''] = (await help(...parent)).split(/^Commands:$/m);
  const names = [...list.matchAll(/^ {2}(?!help\b)([a-z]+)/gm)].map(([, name = '']) => name);
  if (names.length === 0) return [parent.join(' ')];
  return (await Promise.all(names.map((name) => commandNames(...parent, name)))).flat();
}

/** Command lines in shell blocks, and those that start with a command's name in running text. */
function invocationsIn(found: ReturnType<typeof page>): string[] {
  const shell = codeBlocks(found, 'sh').join('\n').replaceAll('\\\n', ' ');
  const lines = [...shell.matchAll(/(?:^ *|&& |\| )live-migration-prep( [^|\n]*)/gm)];
  const spans = codeSpans(found).flatMap((span) => [
    ...(/^live-migration-prep( [^|]+)/.exec(span)?.slice(1) ?? []),
    ...(/^(start|watch|list|redeliver|recover|cancel|schedule create|keys|doctor) --/.test(span)
      ? [` ${span}`]
      : []),
  ]);
  return [...lines.map(([, invocation = '']) => invocation), ...spans];
}

/** @returns null when the command and all its options exist. */
async function unknownPartOf(invocation: string): Promise<string | null> {
  const options = [...invocation.matchAll(/ (--[a-z][a-z-]*)/g)].map(([, option = '']) => option);
  const command = /^((?: [a-z]+)*)/.exec(invocation)?.[1]?.trim() ?? '';
  const known = await commandNames();
  const name = known.find((candidate) => command === candidate || command.startsWith(`${candidate} `)) ?? '';
  if (command && !name) return `${invocation}: no such command`;
  const text = (await help()) + (name && (await help(...name.split(' '))));
  const unknown = options.filter((option) => !new RegExp(`${option}\\b(?!-)`).test(text));
  return unknown.length > 0 ? `${invocation}: no option ${unknown.join(', ')}` : null;
}
