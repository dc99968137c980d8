import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { EXIT_CODES } from '../../../src/commands/cli/command-error';
import { VERSION } from '../../../src/http/version';
import { newOrgId } from '../../support/ids';
import { objectIn, run } from '../../support/run-command';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-usage-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(content: string): string {
  const file = path.join(folder, `addresses-${newOrgId()}`);
  writeFileSync(file, content);
  return file;
}

function newPipe(): string {
  const file = path.join(folder, `pipe-${newOrgId()}`);
  execFileSync('mkfifo', [file]);
  return file;
}

const ORG = ['--org', newOrgId()];
const IP = ['--ip', '192.31.196.7'];
const TO_FILES = ['--sink', 'files'];
const REQUEST = [...ORG, ...IP, ...TO_FILES];
const SINCE = ['--since', '2026-11-25T09:00:00Z'];
const RUN_ID = '0b3ff6a0-95cc-4c2a-a4c1-8a2a5b2b1a52';

const addresses = (count: number) =>
  Array.from({ length: count }, (_, i) => `198.51.${i >> 8}.${i & 255}`).join('\n');

/** Temporal is not there, so that anything but exit code 2 means that a command went on. */
describe('exit code 2, before Temporal is called, for', () => {
  it.each<[what: string, command: string[], message: string]>([
    ['no command', [], 'name a command'],
    ['an unknown command', ['restrat'], "unknown command 'restrat'\n(Did you mean restart?)"],
    ['an unknown option', ['start', ...REQUEST, '--twice'], "unknown option '--twice'"],
    ['an argument too many', ['start', ...REQUEST, '192.31.196.7'], 'too many arguments'],
    ['start without a sink', ['start', ...ORG, ...IP], "required option '--sink <name>' not specified"],
    ['start with an empty sink', ['start', ...ORG, ...IP, '--sink', ''], 'sink is empty: name a configured'],
    [
      'start without an address',
      ['start', ...ORG, ...TO_FILES],
      "no address: name the source's addresses with --ip or --ips-file, or pass --no-access-list",
    ],
    [
      'schedule create without an address',
      ['schedule', 'create', ...ORG, ...TO_FILES, '--cron', '0 6 * * 1'],
      '--no-access-list',
    ],
    [
      'schedule create with a wrong address',
      ['schedule', 'create', ...ORG, ...TO_FILES, '--ip', '10.0.0.1/33', '--cron', '0 6 * * 1'],
      'no schedule was created: the request has 1 problem(s)',
    ],
    [
      'schedule create without a time',
      ['schedule', 'create', ...REQUEST],
      "required option '--cron <expression>' not specified",
    ],
    [
      'schedule create with an end that has passed',
      ['schedule', 'create', ...REQUEST, '--cron', '0 6 * * 1', '--until', '2025-01-01T00:00:00Z'],
      "option '--until <time>' argument '2025-01-01T00:00:00Z' is invalid. It has passed",
    ],
    [
      'schedule create with runs side by side',
      ['schedule', 'create', ...REQUEST, '--cron', '0 6 * * 1', '--overlap', 'AllowAll'],
      "unknown option '--overlap'",
    ],
    [
      '--no-access-list with an address',
      ['start', ...REQUEST, '--no-access-list'],
      "option '--no-access-list' cannot be used with option '--ip <address>'",
    ],
    [
      '--no-access-list with a file',
      ['start', ...ORG, ...TO_FILES, '--no-access-list', '--ips-file', 'none'],
      "option '--no-access-list' cannot be used with option '--ips-file <file>'",
    ],
    [
      '--from with an option that each line has',
      ['start', '--from', 'requests.jsonl', ...TO_FILES],
      "option '--from <file>' cannot be used with option '--sink <name>'",
    ],
    [
      '--from with --again',
      ['start', '--from', 'requests.jsonl', '--again'],
      "option '--from <file>' cannot be used with option '--again'",
    ],
    [
      '--results with --dry-run, which would overwrite what a start recorded',
      ['start', '--from', 'requests.jsonl', '--results', 'results.jsonl', '--dry-run'],
      "option '--dry-run' cannot be used with option '--results <file>'",
    ],
    ['--results without --from', ['start', ...REQUEST, '--results', 'none'], '--results needs --from'],
    ['an organization that is none', ['start', '--org', 'ABC', ...IP, ...TO_FILES], 'orgId is not 24'],
    [
      'a source that is none',
      ['start', ...REQUEST, '--source-org', 'ABC'],
      'sourceOrgId is not 24 lower-case',
    ],
    [
      'a text that is too long',
      ['start', ...REQUEST, '--requested-by', 'x'.repeat(201)],
      'requestedBy is longer than 200 characters: shorten it',
    ],
    ['watch without a run', ['watch'], 'name the run with --org, or with --workflow-id'],
    ['cancel without a run', ['cancel'], 'name the run with --org, or with --workflow-id'],
    ['redeliver without a run', ['redeliver'], 'name the run with --org, or with --workflow-id'],
    [
      'watch of an organization that is none',
      ['watch', '--org', 'ABC'],
      "option '--org <id>' argument 'ABC' is invalid. It is not 24 lower-case hexadecimal digits",
    ],
    [
      'redeliver of a source that is none',
      ['redeliver', ...ORG, '--source-org', 'x'],
      "option '--source-org <id>' argument 'x' is invalid. It is not 24",
    ],
    [
      'a run named twice',
      ['cancel', ...ORG, '--workflow-id', 'x'],
      "option '--workflow-id <id>' cannot be used with option '--org <id>'",
    ],
    [
      'redeliver to an empty sink',
      ['redeliver', ...ORG, '--sink', ''],
      "option '--sink <name>' argument '' is invalid. It is empty",
    ],
    [
      'redeliver of a run id that is none',
      ['redeliver', ...ORG, '--run-id', 'last'],
      "option '--run-id <id>' argument 'last' is invalid. Copy the run id",
    ],
    [
      'redeliver --all of one run',
      ['redeliver', '--all', '--run-id', RUN_ID],
      "option '--all' cannot be used with option '--run-id <id>'",
    ],
    ['redeliver --run-id without its organization', ['redeliver', '--run-id', RUN_ID], 'name the run with'],
    [
      'revoke without a terminal to confirm it on',
      ['revoke', ...ORG],
      'nothing was removed: there is no terminal to confirm it on, so pass --yes\nAtlas removes the link of organization',
    ],
    [
      'revoke for a reason that is too long',
      ['revoke', ...ORG, '--yes', '--change-reference', 'x'.repeat(201)],
      'is invalid. It is longer than 200 characters: shorten it.',
    ],
    ['restart without a time', ['restart'], "required option '--since <time>' not specified"],
    [
      'restart since a time that is none',
      ['restart', '--since', 'yesterday'],
      "option '--since <time>' argument 'yesterday' is invalid. Write one such as 2026-",
    ],
    [
      'restart since a number',
      ['restart', '--since', '5'],
      "option '--since <time>' argument '5' is invalid. Write one such as 2026-",
    ],
    [
      'restart after a failure that is none',
      ['restart', ...SINCE, '--failure', 'Sad'],
      'Allowed choices are InvalidRequest, AtlasRequestRejected,',
    ],
    [
      'a time limit that is none',
      ['watch', ...ORG, '--timeout', '10'],
      "option '--timeout <duration>' argument '10' is invalid. Write one such as 30s, 10m or 2h",
    ],
    ['a time limit that no timer takes', ['watch', ...ORG, '--timeout', '600h'], 'of at most 24 days'],
    [
      'list of undelivered runs that failed',
      ['list', '--undelivered', '--failure', 'TokenLost'],
      "option '--failure <type>' cannot be used with option '--undelivered'",
    ],
    ['keys without a file', ['keys'], "required option '--file <file>' not specified"],
  ])('%s', async (_what, command, message) => {
    const exit = await run(command);
    expect(exit).toMatchObject({ code: EXIT_CODES.usage, stdout: '' });
    expect(exit.stderr).toContain(message);
    expect(exit.stderr).toMatch(/^live-migration-prep: /m);

    const json = await run(['--json', ...command]);
    expect(json.code).toBe(EXIT_CODES.usage);
    expect(objectIn(json)['error']).toContain(message);
  });

  it('every address that is wrong, in one message', async () => {
    const wrong: [address: string, message: string][] = [
      ['10.1.2.3/24', 'has host bits set: write 10.1.2.0/24'],
      ['010.0.0.1', 'has leading zeros, which some read as octal: write 10.0.0.1'],
      ['192.31.196.0/33', 'has a prefix length out of range: write 192.31.196.0/ and a number from 1 to 32'],
      ['192.31.196.0/255.255.255.0', 'has a dotted netmask: write 192.31.196.0/24'],
      ['192.31.196. 7', 'contains white space: write 192.31.196.7'],
      ['::ffff:192.31.196.7', 'is an IPv4-mapped IPv6 address: write 192.31.196.7'],
      ['host.example.com', 'is neither an address nor a CIDR block: write one such as'],
      ['0.0.0.0/0', 'lets in the whole Internet: write the public address'],
      ['127.0.0.1', 'includes 127.0.0.0/8 (loopback, RFC 1122), which is never a source'],
    ];
    const ips = wrong.flatMap(([address]) => ['--ip', address]);
    const { code, stderr } = await run(['start', ...ORG, ...TO_FILES, ...ips]);
    expect(code).toBe(EXIT_CODES.usage);
    expect(stderr).toContain(`nothing was started: the request has ${wrong.length} problem(s)\n`);
    wrong.forEach(([address, message], index) =>
      expect(stderr).toContain(`\n  accessListIps[${index}] "${address}" ${message}`),
    );
  });

  it.each<[what: string, content: string, message: string]>([
    ['an empty file', '', 'contains no address: pass --no-access-list instead to send an empty list'],
    ['a file of comments', '# the source\n\n   # nothing yet\n', 'contains no address'],
    ['a file over 1 MiB', '192.31.196.7\n'.repeat(100_000), 'is larger than 1 MiB'],
    ['a list of 10,000', addresses(10_000), 'has more than 1000 entries: write whole networks as CIDR'],
    ['a file with a wrong line', '192.31.196.7\nhost:443\n', 'accessListIps[1] "host:443" is neither'],
  ])('%s', async (_what, content, message) => {
    const exit = await run(['start', ...ORG, ...TO_FILES, '--ips-file', fileOf(content)]);
    expect(exit).toMatchObject({ code: EXIT_CODES.usage, stdout: '' });
    expect(exit.stderr).toContain(message);
  });

  it.each<[what: string, file: () => string, message: string]>([
    ['a file that is not there', () => path.join(folder, 'none'), 'cannot be read (ENOENT)'],
    ['a folder', () => folder, 'is not a regular file: write the list to one, or repeat --ip'],
    ['a pipe that nobody writes to', newPipe, 'is not a regular file'],
  ])('%s', async (_what, newFile, message) => {
    const file = newFile();
    const { code, stderr } = await run(['start', ...ORG, ...TO_FILES, '--ips-file', file]);
    expect(code).toBe(EXIT_CODES.usage);
    expect(stderr).toContain(`--ips-file ${file} ${message}`);
  });
});

describe('--help', () => {
  const COMMANDS = [
    'start',
    'watch',
    'list',
    'cancel',
    'redeliver',
    'revoke',
    'restart',
    'keys',
    'doctor',
    'schedule',
  ];

  it('names every command and every exit code, and is no error', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect({ code, stderr }).toEqual({ code: EXIT_CODES.done, stderr: '' });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    for (const exitCode of Object.values(EXIT_CODES)) {
      expect(stdout).toMatch(new RegExp(`^ {2}${exitCode} +\\w`, 'm'));
    }
  });

  it.each([
    ['start', /--org <id> .*\(required\)/],
    ['start', /--no-access-list +send no address/],
    ['watch', /--workflow-id <id> .*instead of --org/],
    ['restart', /--since <time> .*\(required\)/],
    ['restart', /--failure <type> .*one of InvalidRequest.*default: AtlasRequestRejected/],
  ])('of %s says %s', async (command, text) => {
    const { stdout } = await run([command, '--help']);
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(text);
  });
});

describe('examples', () => {
  const COMMANDS = [
    'start',
    'watch',
    'list',
    'cancel',
    'redeliver',
    'revoke',
    'restart',
    'doctor',
    'schedule create',
    'schedule list',
  ];

  /** Temporal's settings are read after the arguments: a valid command fails there, without a call. */
  const NO_SETTINGS = { TEMPORAL_TLS: 'neither' };

  it.each(COMMANDS)('of %s are valid commands', async (command) => {
    const { stdout } = await run([...command.split(' '), '--help']);
    const [, text = ''] = stdout.split('\nExamples:\n');
    const examples = [...text.matchAll(/^ {2}live-migration-prep (.*)$/gm)].map(([, line = '']) => line);
    expect(examples).not.toEqual([]);
    const file = fileOf('192.31.196.7\n');
    const requests = fileOf(JSON.stringify({ orgId: newOrgId(), accessListIps: [], sink: 'files' }));
    const codes = await Promise.all(
      examples.map(async (example) => {
        const words = example
          .replace('addresses.txt', file)
          .replace('requests.jsonl', requests)
          .matchAll(/"([^"]*)"|(\S+)/g);
        const args = [...words].map(([, quoted, plain]) => quoted ?? plain ?? '');
        return (await run(args, NO_SETTINGS)).code;
      }),
    );
    const expected = (example: string) =>
      example.includes('--config') ? EXIT_CODES.failed : EXIT_CODES.unreachable;
    expect(codes).toEqual(examples.map(expected));
  });
});

it('--version prints the version of the package', async () => {
  expect(await run(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
});

it('escapes control characters of an argument', async () => {
  const { stderr } = await run(['\u001b[2J']);
  expect(stderr).toContain(String.raw`unknown command '\u001b[2J'`);
});
