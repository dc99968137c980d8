import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { FILES_WITH_VERSION, versionPattern } from '../../../dev/set-version';
import { responseError } from '../../../src/atlas/outcomes';
import { EXIT_CODES } from '../../../src/commands/cli/command-error';
import { runProgram } from '../../../src/commands/program';
import { toFailureError } from '../../../src/commands/runs/describe-ending';
import { settingsSchema } from '../../../src/config/settings';
import {
  DELIVERY_FAILURE_TYPES,
  FAILURE_TYPES,
  REFUSAL_TYPES,
} from '../../../src/contract/failure-types';
import { prepareRequestSchema, receiptSchema, statusSchema } from '../../../src/contract/schemas';
import { VERSION } from '../../../src/version';
import { LANGUAGES, sourceOf } from '../../support/examples';
import * as markdown from '../../support/markdown';
import { matchesIn, page, tableBelow } from '../../support/markdown';
import { textStream } from '../../support/run-command';
import { KEYS, documentedSettings, fileIn, problemsOf, write } from '../config/configuration';

/**
 * The help of each command by its name in full, such as `schedule create`, and that of the program
 * by ``.
 */
const helps = new Map<string, string>();

async function readHelp(...command: string[]): Promise<void> {
  let text = '';
  const stream = textStream((chunk) => (text += chunk));
  await runProgram({ env: {}, stdout: stream, stderr: stream }, [...command, '--help']);
  const [, list = ''] = text.split(/^Commands:$/m);
  const names = matchesIn(list, /^ {2}(?!help\b)([a-z]+(?:-[a-z]+)*)/gm);
  // A command that has subcommands is a group.
  if (names.length === 0 || command.length === 0) helps.set(command.join(' '), text);
  for (const name of names) await readHelp(...command, name);
}

beforeAll(() => readHelp());

describe('every page', () => {
  /** Finds what is wrong in each page, below its name. */
  const findInPages = (find: (text: string, name: string) => string[]) =>
    markdown
      .pageNames()
      .flatMap((name) => find(page(name), name).map((problem) => `${name}: ${problem}`));

  it('links only to what is there', () => {
    const isMissing = (link: string, name: string) => {
      const [target = '', anchor] = link.split('#');
      const file = target ? path.join(path.dirname(name), target) : name;
      if (!existsSync(path.join(markdown.ROOT, file))) return true;
      return anchor !== undefined && !markdown.anchors(page(file)).includes(anchor);
    };
    const missing = findInPages((text, name) =>
      markdown.relativeLinks(text).filter((link) => isMissing(link, name)),
    );
    expect(missing).toEqual([]);
  });

  it('names only commands and options that exist', () => {
    const unknown = findInPages((text) =>
      invocationsIn(text).filter((invocation) => !exists(invocation)),
    );
    expect(unknown).toEqual([]);
  });

  it('has JSON that parses', () => {
    const malformed = findInPages((text) =>
      markdown.codeBlocks(text, 'json').filter((json) => !parses(json)),
    );
    expect(malformed).toEqual([]);
  });
});

const firstCells = (name: string, heading: string) =>
  tableBelow(page(name), heading).map(([cell = '']) => cell.replaceAll('`', ''));

it('docs/commands.md names every command and exit code, and --help every exit code', () => {
  const [, ...commands] = helps.keys();
  const named = markdown.codeSpans(markdown.sectionBelow(page('docs/commands.md'), 'Commands'));
  expect(named).toEqual(expect.arrayContaining(commands));
  const exitCodes = Object.values(EXIT_CODES).map(String);
  expect(firstCells('docs/commands.md', 'Exit codes')).toEqual(exitCodes);
  const [, list = ''] = (helps.get('') ?? '').split('Exit codes:');
  expect(matchesIn(list, /^ {2}(\d+) /gm)).toEqual(exitCodes);
});

/** The names with which the entries of a list of docs/contract.md begin. */
const listedBelow = (heading: string) =>
  matchesIn(markdown.sectionBelow(page('docs/contract.md'), heading), /^- `(\w+)`/gm);

it.each([
  ['Request', prepareRequestSchema],
  ['Status', statusSchema],
])('docs/contract.md explains every field below %s', (heading, { shape }) => {
  expect(listedBelow(heading)).toEqual(Object.keys(shape));
});

it('docs/contract.md explains every failure type and shows every field of a receipt', () => {
  expect(listedBelow('How a run ends')).toEqual(FAILURE_TYPES);
  expect(listedBelow('What the Updates fail with')).toEqual(DELIVERY_FAILURE_TYPES);
  expect(listedBelow('How an Update is refused')).toEqual(REFUSAL_TYPES);
  const [receipt = ''] = markdown.codeBlocks(page('docs/contract.md'), 'json');
  const fields = Object.keys(receiptSchema.shape).sort();
  expect(Object.keys(JSON.parse(receipt) as object).sort()).toEqual(fields);
});

it('docs/architecture.md has each folder of src/', () => {
  const folders = readdirSync(path.join(markdown.ROOT, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${name}/`);
  const rows = firstCells('docs/architecture.md', 'The folders of `src/`');
  expect(rows).toEqual(expect.arrayContaining(folders));
});

it.each(['docs/architecture.md', 'CONTRIBUTING.md'])(
  '%s names paths that exist, from the root or from src/',
  (name) => {
    const paths = matchesIn(page(name), /`([a-z.][\w.-]*\/[\w./-]*)`/gi);
    expect(paths.length).toBeGreaterThan(20);
    // A clone has no `dist/` before its first build.
    const exists = (relative: string) =>
      relative.startsWith('dist/') ||
      ['', 'src'].some((root) => existsSync(path.join(markdown.ROOT, root, relative)));
    expect(paths.filter((relative) => !exists(relative))).toEqual([]);
  },
);

it('no two files in src/ have the same name, but for index.ts', () => {
  const files = readdirSync(path.join(markdown.ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const names = files.filter((file) => file.endsWith('.ts')).map((file) => path.basename(file));
  const repeated = names.filter((name, index) => names.indexOf(name) !== index);
  expect(repeated.filter((name) => name !== 'index.ts')).toEqual([]);
});

it('docs/architecture.md says what the code does after a response of each status', () => {
  const table = tableBelow(page('docs/architecture.md'), 'What a response from Atlas leads to');
  const failures = table.filter(([response = '']) => /^\d{3}\b(?!.* with a token)/.test(response));
  const documented = failures.flatMap(([response = '', outcome = '', tokenMayExist]) =>
    matchesIn(response, /(\d{3})/g).map((status) => [
      Number(status),
      outcome.split(',')[0],
      tokenMayExist,
    ]),
  );
  const classified = documented.map(([status]) => {
    const response = { status: Number(status), json: null, retryAfterMs: undefined };
    const { permanent, type, tokenMayExist } = responseError(
      'linkTokens',
      'default',
      response,
    ).failure;
    const retried = `retried by ${tokenMayExist ? 'the run' : 'Temporal'}`;
    return [status, permanent ? `fails: \`${type}\`` : retried, tokenMayExist ? 'yes' : 'no'];
  });
  expect(documented).toEqual(classified);
  const statuses = documented.map(([status]) => Number(status));
  expect(statuses).toEqual([...new Set(statuses)]);
  const classes = statuses.map((status) => Math.floor(status / 100));
  expect(new Set(classes)).toEqual(new Set([2, 3, 4, 5]));
});

describe('docs/configuration.md', () => {
  const configuration = page('docs/configuration.md');

  it('has each setting, with its default', () => {
    const context = { env: {}, baseDirectory: '/', warn: () => undefined };
    const rows = tableBelow(configuration, 'Settings').map(([name, value]) => [name, value]);
    expect(rows).toEqual(
      documentedSettings(settingsSchema(context, { credentials: [], sinks: [] })),
    );
  });

  it('has an example without a problem', () => {
    const [example = ''] = markdown.codeBlocks(configuration, 'yaml');
    for (const name of ['payments-client-secret', 'archive-private-key']) write(name, 'secret');
    write('sealing-keys.json', KEYS);
    const yaml = example.replaceAll('/run/secrets/', fileIn('/'));
    expect(problemsOf(yaml)).toEqual([]);
  });
});

const TYPES_WITH_EXIT_CODE = [...FAILURE_TYPES, ...DELIVERY_FAILURE_TYPES].filter((type) => {
  const error = toFailureError(ApplicationFailure.nonRetryable('', type), '');
  return error?.exitCode !== EXIT_CODES.failed;
});

it.each(Object.entries(LANGUAGES))(
  'the %s example names every failure type that has an exit code of its own',
  (_, language) => {
    const source = sourceOf(language, 'join');
    const delivery = source.includes('isDeliveryFailureType') ? DELIVERY_FAILURE_TYPES : [];
    const named = new Set([...matchesIn(source, /['"]([A-Z][A-Za-z]+)['"]/g), ...delivery]);
    expect(TYPES_WITH_EXIT_CODE.filter((type) => !named.has(type))).toEqual([]);
  },
);

it('the TypeScript examples pin the versions of this package', () => {
  const packageIn = (folder: string) =>
    JSON.parse(readFileSync(path.join(markdown.ROOT, folder, 'package.json'), 'utf8')) as {
      version: string;
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
  const { version, dependencies, devDependencies } = packageIn('.');
  const tarball = {
    'live-migration-prep-contract': `file:live-migration-prep-contract-${version}.tgz`,
  };
  const theirs = packageIn('examples/typescript').dependencies;
  expect({ ...dependencies, ...devDependencies, ...tarball }).toMatchObject(theirs);
});

it('every file that names the version of the program is changed by npm version', () => {
  const folders = ['.github', 'deploy', 'docker', 'docs', 'examples'].flatMap((folder) =>
    readdirSync(path.join(markdown.ROOT, folder), { recursive: true, encoding: 'utf8' }).map(
      (name) => path.join(folder, name),
    ),
  );
  const isText = (name: string) =>
    /(\.(json|md|mod|py|toml|ts|txt|ya?ml)|file)$/.test(name) &&
    !/node_modules|venv|package-lock|CHANGELOG/.test(name);
  const names = [...readdirSync(markdown.ROOT), ...folders].filter(isText);
  const pattern = versionPattern(VERSION);
  expect(names.filter((name) => page(name).match(pattern)).sort()).toEqual(
    [...FILES_WITH_VERSION].sort(),
  );
});

function parses(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

/** Command lines in shell blocks, and those that start with a command's name in running text. */
function invocationsIn(text: string): string[] {
  const shell = markdown.codeBlocks(text, 'sh').join('\n').replaceAll('\\\n', ' ');
  const lines = matchesIn(shell, /(?:^ *|&& |\| )live-migration-prep( [^|\n]*)/gm);
  const spans = markdown
    .codeSpans(text)
    .flatMap((span) => matchesIn(span, /^live-migration-prep( [^|]+)/g));
  const bare = markdown
    .codeSpans(text)
    .filter((span) => [...helps.keys()].some((name) => span.startsWith(`${name} --`)));
  return [...lines, ...spans, ...bare.map((span) => ` ${span.replace(/\|.*/, '')}`)];
}

/** Tells whether the command and all its options exist. */
function exists(invocation: string): boolean {
  const command = /^(?: [a-z]+(?:-[a-z]+)*)*/.exec(invocation)?.[0].trim() ?? '';
  const name =
    [...helps.keys()].find((key) => key !== '' && `${command} `.startsWith(`${key} `)) ?? '';
  const options = matchesIn(invocation, / (--[a-z][a-z-]*)/g);
  const help = `${helps.get('')} ${helps.get(name)}`;
  return (
    (command === '' || name !== '') &&
    options.every((option) => new RegExp(`${option}\\b(?!-)`).test(help))
  );
}
