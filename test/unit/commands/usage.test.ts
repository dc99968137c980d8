import { EXIT_CODES } from '../../../src/commands/cli/command-error';
import { parseDuration, parseTimeOrAge } from '../../../src/commands/cli/option-parsers';
import { VERSION } from '../../../src/version';
import { matchesIn } from '../../support/markdown';
import { NOWHERE, objectIn, run as runWith } from '../../support/run-command';
import { temporaryFiles } from '../temporary-folder';

const { fileIn, write } = temporaryFiles();

const CURRENT = process.cwd();
// The folder of a test is gone when another file's tests begin in this process.
afterEach(() => process.chdir(CURRENT));

const run = (line: string) => runWith(line.split(' ').filter(Boolean));

const ORG = '--org 64f1c0ffee5eed0000000a71';
const RUN = '64f1c0ffee5eed0000000a71/64f1c0ffee5eed0000005c05';
const IP = '--ip 192.31.196.7';
const PAIR = `${ORG} --sink files`;
const REQUEST = `${PAIR} ${IP}`;
const FROM = '--from requests.jsonl';

const missing = (...options: string[]) =>
  `required options are missing:\n${options.map((option) => `  ${option}\n`).join('')}`;
const [NO_ORG, NO_SINK] = ['--org <id>', '--sink <name>'];
const NO_ADDRESS =
  '--no-access-list for Cloud Manager, or --ip or --ips-file with an address for Ops Manager';
const INVALID_REQUEST = 'nothing was started: the request has 1 problem\n  orgId is not 24';

const invalid = (option: string, value: string, remedy: string) =>
  `option '${option}' argument '${value}' is invalid. ${remedy}`;
const INVALID_ORG = invalid('--org <id>', 'ABC', 'It is not 24 lower-case hexadecimal digits');
const INVALID_TIME = invalid('--since <time>', 'today', 'Write a time such as 2026-');
const INVALID_TIMEOUT = invalid('--timeout <duration>', '10', 'Write a duration such as 30s, ');

const conflict = (option: string, other: string) =>
  `option '${option}' cannot be used with option '${other}'`;

const WRONG: [problem: string, command: string, message: string][] = [
  ['no command', '', 'name a command: add --help to list them'],
  ['no command of schedule', 'schedule', 'name a command: add --help to list them'],
  ['an unknown command', '\u001b[2J', String.raw`unknown command '\u001b[2J'`],
  ['an argument too many', `start ${REQUEST} 192.31.196.7`, 'too many arguments'],
  ['no option of start', 'start', missing(NO_ORG, NO_SINK, NO_ADDRESS)],
  ['no --sink', `start ${ORG} ${IP}`, missing(NO_SINK)],
  ['a file without an address', `start ${PAIR} --ips-file /dev/null`, missing(NO_ADDRESS)],
  [
    'no option of a schedule',
    'schedule create',
    missing(NO_ORG, NO_SINK, NO_ADDRESS, '--cron <expression>'),
  ],
  [
    'a file that cannot be read',
    `start ${PAIR} --ips-file /nowhere`,
    '--ips-file /nowhere cannot be read (ENOENT): ',
  ],
  ['a request that is not valid', `start --org ABC --sink files ${IP}`, INVALID_REQUEST],
  ['no name of a run', 'watch', "missing required argument 'run'"],
  ['no name of a run, nor --all', 'redeliver', 'name one run as list prints it, or add --all'],
  ['no name of a run, nor a file', 'cancel', 'name one run as list prints it, or add --from'],
  ['no option of revoke', 'revoke', missing('--from <file>')],
  ['no option of api-keys', 'api-keys', missing(NO_ORG, '--keys <files...>')],
  ['a malformed organization id', 'list --org ABC', INVALID_ORG],
  ['a malformed time', 'list --since today', INVALID_TIME],
  [
    'an age before 1970',
    'list --since 99999999d',
    invalid('--since <time>', '99999999d', 'Write an age of less than 50 years'),
  ],
  [
    'a malformed name of a sink',
    `redeliver ${RUN} --sink a/b`,
    invalid('--sink <name>', 'a/b', 'Write the name of a sink'),
  ],
  ['a duration without a unit', `watch ${RUN} --timeout 10`, INVALID_TIMEOUT],
  [
    '--ip with --no-access-list',
    `start ${REQUEST} --no-access-list`,
    conflict('--no-access-list', '--ip <address>'),
  ],
  [
    '--sink with a file of requests',
    `start ${FROM} --sink a`,
    conflict('--from <file>', '--sink <name>'),
  ],
  [
    '--again with a file of requests',
    `start ${FROM} --again`,
    conflict('--from <file>', '--again'),
  ],
  ['--all with a run', `redeliver --all ${RUN}`, 'name one run as list prints it, or add --all'],
  ['--from with a run', `cancel --from a ${RUN}`, 'name one run as list prints it, or add --from'],
  [
    '--undelivered with --failure',
    'list --undelivered --failure TokenLost',
    conflict('--failure <type>', '--undelivered'),
  ],
];

/** No server is reachable: any other exit code means that the command went on. */
describe('exit code 2, before Temporal is called, for', () => {
  it.each(WRONG)('%s: %j', async (_problem, command, message) => {
    const exit = await run(command);
    expect(exit).toMatchObject({ code: EXIT_CODES.usage, stdout: '' });
    expect(exit.stderr).toContain(message);
    expect(exit.stderr).toMatch(/^live-migration-prep: /m);
  });

  it.each([
    ['--address', ['--address', '', 'list']],
    ['--namespace', ['--namespace', '', 'list']],
    ['name of a run', ['watch', '']],
  ])('an empty %s, as of an unset variable', async (_what, args) => {
    const exit = await runWith(args);
    expect(exit).toMatchObject({ code: EXIT_CODES.usage });
    expect(exit.stderr).toContain('It is empty: write a value, or leave it out');
  });

  it.each([
    ['--json list --org ABC', INVALID_ORG],
    ['watch --timeout 10 --json', INVALID_TIMEOUT],
  ])('%s, with the message as text and as JSON', async (command, message) => {
    const json = await run(command);
    expect(json.code).toBe(EXIT_CODES.usage);
    expect(objectIn(json)['error']).toContain(message);
    expect(json.stderr).toContain(message);
  });
});

it('a command that cannot reach Temporal ends with exit code 3', async () => {
  const { code, stderr } = await run('list');
  expect(code).toBe(EXIT_CODES.unreachable);
  expect(stderr).toMatch(
    /at 127\.0\.0\.1:1, namespace default, .*ECONNREFUSED 127\.0\.0\.1:1\): start it/,
  );
});

it('doctor names all problems of a configuration, checks nothing else, and exits with 1', async () => {
  const file = write('lmp.yaml', 'colour: blue\nsinks: {drop: {type: fax}}\n');
  const { code, stdout, stderr } = await run(`doctor --config ${file}`);
  expect({ code, stdout }).toEqual({ code: EXIT_CODES.failed, stdout: '' });
  expect(stderr).toMatch(/ problems:\n[^]*lmp\.yaml:2 sinks\.drop\.type: [^]*lmp\.yaml:1 colour: /);
});

const COMMANDS = [
  'start',
  'watch',
  'list',
  'cancel',
  'redeliver',
  'revoke',
  'api-keys',
  'sealing-keys',
  'doctor',
  'schedule create',
  'schedule pause',
  'schedule unpause',
];

it('--help names every command and every exit code, and ends with exit code 0', async () => {
  const { code, stdout, stderr } = await run('--help');
  expect({ code, stderr }).toEqual({ code: EXIT_CODES.done, stderr: '' });
  const commands = COMMANDS.map((command) => command.replace(/ .*/, ''));
  for (const name of [...commands, ...Object.values(EXIT_CODES)]) {
    expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\S`, 'm'));
  }
});

it.each(COMMANDS)('the help of %s has one line for each option that it uses', async (command) => {
  const { stdout } = await run(`${command} --help`);
  const [, globals = ''] = stdout.split('\nGlobal Options:\n');
  const lines = globals.replace(/\n\n[^]*/, '').split('\n');
  const without = /^(watch|cancel|api-keys|schedule (un)?pause)$/.test(command);
  expect(lines).toHaveLength(command === 'sealing-keys' ? 3 : without ? 5 : 6);
  for (const line of lines) expect(line).toMatch(/^ {2}-/);
});

it.each(COMMANDS)(
  'the examples in the help of %s have options that the command accepts',
  async (command) => {
    process.chdir(fileIn());
    write(
      'requests.jsonl',
      '{"orgId": "64f1c0ffee5eed0000000a71", "accessListIps": [], "sink": "drop"}',
    );
    write('receipts.jsonl', '{"orgId": "64f1c0ffee5eed0000000a71", "publicApiKey": "abcdefgh"}');
    for (const file of ['keys.json', 'keys-1.json', 'keys-2.json']) {
      write(file, '{"results": [], "totalCount": 0}');
    }
    const { stdout } = await run(`${command} --help`);
    expect(stdout).not.toContain('default: false');
    expect(stdout).toMatch(/^Documentation: https:.*\/docs\/commands\.md$/m);
    const examples = matchesIn(stdout, /^ {2}live-migration-prep (.+)$/gm);
    expect(examples).not.toEqual([]);
    for (const example of examples) {
      const args = matchesIn(example, /("[^"]*"|\S+)/g).map((arg) => arg.replaceAll('"', ''));
      expect(args.join(' ')).toMatch(new RegExp(`^${command}\\b`));
      // Settings that end a command before it connects.
      const exit = await runWith(args, { ...NOWHERE, TEMPORAL_TLS: 'perhaps' });
      expect(exit).not.toMatchObject({ code: EXIT_CODES.usage });
    }
  },
);

it.each(['--version', '-V'])('%s prints the version of the package', async (line) => {
  expect(await run(line)).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
});

it('--since takes an age or a time', () => {
  jest.useFakeTimers({ now: new Date('2026-01-04T03:00:00Z') });
  const times = ['1.5h', '2d', '2026-01-02T05:00:00+02:00', '2026-01-02'].map(parseTimeOrAge);
  jest.useRealTimers();
  expect(times.map((time) => time.toISOString())).toEqual([
    '2026-01-04T01:30:00.000Z',
    '2026-01-02T03:00:00.000Z',
    '2026-01-02T03:00:00.000Z',
    '2026-01-02T00:00:00.000Z',
  ]);
});

it('--timeout takes durations up to the longest timer of Node', () => {
  expect(['30s', '10m', '2147483.647s'].map(parseDuration)).toEqual([
    30_000, 600_000, 2_147_483_647,
  ]);
});

it.each([
  ['--timeout refuses a duration of zero', '0s', parseDuration, 'Write a duration such as'],
  [
    '--timeout refuses more than a timer of Node',
    '2147483.648s',
    parseDuration,
    'Write a duration such',
  ],
  ['--since refuses an age of zero', '0s', parseTimeOrAge, 'Write a time such as'],
  [
    '--since refuses a time without an offset',
    '2026-11-25T09:00:00',
    parseTimeOrAge,
    'Write a time such',
  ],
])('%s', (_, text, parser, message) => {
  expect(() => parser(text)).toThrow(message);
});
