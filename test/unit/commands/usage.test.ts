import { EXIT_CODES } from '../../../src/commands/cli/exit-codes';
import { VERSION } from '../../../src/version';
import { objectIn, run as runWith } from '../../support/run-command';
import { temporaryFiles } from '../temporary-folder';

const { fileIn, fileOf } = temporaryFiles();

/** The arguments of a line, of which some may be in double quotes. */
const argumentsIn = (line: string) =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
const run = (line: string, env?: Record<string, string>) => runWith(argumentsIn(line), env);

const ORG = '--org 64f1c0ffee5eed0000000a71';
const IP = '--ip 192.31.196.7';
const PAIR = `${ORG} --sink files`;
const REQUEST = `${PAIR} ${IP}`;
const MONDAYS = '--cron "0 6 * * 1"';
const FROM = '--from requests.jsonl';
const RUN_ID = '0b3ff6a0-95cc-4c2a-a4c1-8a2a5b2b1a52';

const addresses = (count: number) =>
  Array.from({ length: count }, (_, i) => `198.51.${i >> 8}.${i & 255}`).join('\n');

/** Temporal is not there, so that anything but exit code 2 means that a command went on. */
describe('exit code 2, before Temporal is called, for', () => {
  const NO_RUN = 'name the run with --org, or with --workflow-id';
  const NO_ADDRESS =
    "no address: name the source's addresses with --ip or --ips-file, or pass --no-access-list";

  it.each<[command: string, message: string]>([
    ['', 'name a command'],
    ['recvoer', "unknown command 'recvoer'\n(Did you mean recover?)"],
    [`start ${REQUEST} --twice`, "unknown option '--twice'"],
    [`start ${REQUEST} 192.31.196.7`, 'too many arguments'],
    [`start ${ORG} ${IP}`, "required option '--sink <name>' not specified"],
    [`start ${PAIR}`, NO_ADDRESS],
    [`start --org ABC --sink files ${IP}`, 'orgId is not 24'],
    [
      `start ${REQUEST} --requested-by ${'x'.repeat(201)}`,
      'requestedBy is longer than 200 characters: shorten it',
    ],
    [`schedule create ${PAIR} ${MONDAYS}`, '--no-access-list'],
    [
      `schedule create ${PAIR} --ip 10.0.0.1/33 ${MONDAYS}`,
      'no schedule was created: the request has 1 problem',
    ],
    [`schedule create ${REQUEST}`, "required option '--cron <expression>' not specified"],
    [`schedule create ${REQUEST} ${MONDAYS} --overlap AllowAll`, "unknown option '--overlap'"],
    ['watch', NO_RUN],
    ['redeliver', NO_RUN],
    ['list --failure Sad', 'Allowed choices are InvalidRequest, TokenExists,'],
    [`recover ${ORG}`, "required option '--run-id <id>' not specified"],
    [`recover --run-id ${RUN_ID}`, NO_RUN],
    [`watch ${ORG} --timeout 600h`, 'of at most 24 days'],
    ['keys', "required option '--file <file>' not specified"],
    ...[
      ['watch --org ABC', '--org <id>', 'ABC', 'It is not 24 lower-case hexadecimal digits'],
      [`redeliver ${ORG} --source-org x`, '--source-org <id>', 'x', 'It is not 24 lower-case'],
      [`recover ${ORG} --run-id last`, '--run-id <id>', 'last', 'Copy the run id'],
      ['list --since yesterday', '--since <time>', 'yesterday', 'Write one such as 2026-'],
      [
        'list --since 2026-11-25T09:00:00',
        '--since <time>',
        '2026-11-25T09:00:00',
        'Write one such as 2026-',
      ],
      [`watch ${ORG} --timeout 10`, '--timeout <duration>', '10', 'Write one such as 30s, 10m or 2h'],
    ].map(([command = '', option = '', value = '', problem = '']): [string, string] => [
      command,
      `option '${option}' argument '${value}' is invalid. ${problem}`,
    ]),
    ...[
      [`start ${REQUEST} --no-access-list`, '--no-access-list', '--ip <address>'],
      [`start ${PAIR} --no-access-list --ips-file none`, '--no-access-list', '--ips-file <file>'],
      [`start ${FROM} --sink files`, '--from <file>', '--sink <name>'],
      [`start ${FROM} --again`, '--from <file>', '--again'],
      [`cancel ${ORG} --workflow-id x`, '--workflow-id <id>', '--org <id>'],
      [`redeliver --all ${ORG}`, '--all', '--org <id>'],
      ['list --requests --details', '--requests', '--details'],
      ['list --undelivered --failure TokenLost', '--failure <type>', '--undelivered'],
    ].map(([command = '', option = '', other = '']): [string, string] => [
      command,
      `option '${option}' cannot be used with option '${other}'`,
    ]),
  ])('%s', async (command, message) => {
    const exit = await run(command);
    expect(exit).toMatchObject({ code: EXIT_CODES.usage, stdout: '' });
    expect(exit.stderr).toContain(message);
    expect(exit.stderr).toMatch(/^live-migration-prep: /m);

    const json = await run(`--json ${command}`);
    expect(json.code).toBe(EXIT_CODES.usage);
    expect(objectIn(json)['error']).toContain(message);
  });

  it('every address that is wrong, in one message', async () => {
    const exit = await run(`start ${PAIR} --ip 10.1.2.3/24 --ip host.example.com --ip "192.31.196. 7"`);
    expect(exit).toMatchObject({ code: EXIT_CODES.usage, stdout: '' });
    for (const problem of [
      'nothing was started: the request has 3 problems\n',
      '\n  accessListIps[0] "10.1.2.3/24" has host bits set: write 10.1.2.0/24',
      '\n  accessListIps[1] "host.example.com" is neither an address nor a CIDR block: write one such as',
      '\n  accessListIps[2] "192.31.196. 7" is neither an address nor a CIDR block',
    ])
      expect(exit.stderr).toContain(problem);
  });

  it.each<[what: string, newFile: () => string, message: string]>([
    ['an empty file', () => fileOf(''), NO_ADDRESS],
    ['a file that is not there', () => fileIn('none'), ' cannot be read (ENOENT)'],
    ['a folder', () => fileIn(), ' cannot be read (EISDIR)'],
    [
      'a list of 10,000',
      () => fileOf(addresses(10_000)),
      'has more than 1000 entries: write whole networks as CIDR',
    ],
    [
      'a file with a wrong line',
      () => fileOf('192.31.196.7\nhost:443\n'),
      'accessListIps[1] "host:443" is neither',
    ],
  ])('%s', async (_what, newFile, message) => {
    const file = newFile();
    const exit = await run(`start ${PAIR} --ips-file ${file}`);
    expect(exit).toMatchObject({ code: EXIT_CODES.usage, stdout: '' });
    expect(exit.stderr).toContain(message.startsWith(' ') ? `--ips-file ${file}${message}` : message);
  });
});

const COMMANDS = ['start', 'watch', 'list', 'cancel', 'redeliver', 'recover', 'doctor'];

describe('--help', () => {
  it('names every command and every exit code, and is no error', async () => {
    const { code, stdout, stderr } = await run('--help');
    expect({ code, stderr }).toEqual({ code: EXIT_CODES.done, stderr: '' });
    for (const name of [...COMMANDS, 'keys', 'schedule', ...Object.values(EXIT_CODES)])
      expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\S`, 'm'));
  });
});

it('--version prints the version of the package', async () => {
  expect(await run('--version')).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
});

it('escapes control characters of an argument', async () => {
  const { stderr } = await run('\u001b[2J');
  expect(stderr).toContain(String.raw`unknown command '\u001b[2J'`);
});
