import { EXIT_CODES } from '../../../src/commands/cli/exit-codes';
import { VERSION } from '../../../src/version';
import { objectIn, run as runWith } from '../../support/run-command';

/** Runs the arguments of a line, of which some may be in double quotes. */
const run = (line: string) =>
  runWith([...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''));

const ORG = '--org 64f1c0ffee5eed0000000a71';
const IP = '--ip 192.31.196.7';
const PAIR = `${ORG} --sink files`;
const REQUEST = `${PAIR} ${IP}`;
const FROM = '--from requests.jsonl';
const NO_RUN = 'name the run with --org, or with --workflow-id';
const NO_ADDRESS =
  "no address: name the source's addresses with --ip or --ips-file, or pass --no-access-list";

const WRONG: [command: string, message: string][] = [
  ['', 'name a command'],
  ['\u001b[2J', String.raw`unknown command '\u001b[2J'`],
  [`start ${REQUEST} 192.31.196.7`, 'too many arguments'],
  [`start ${ORG} ${IP}`, "required option '--sink <name>' not specified"],
  [`start ${PAIR}`, NO_ADDRESS],
  [`start ${PAIR} --ips-file /dev/null`, NO_ADDRESS],
  [`start ${PAIR} --ips-file /nowhere`, '--ips-file /nowhere cannot be read (ENOENT)'],
  [`start --org ABC --sink files ${IP}`, 'nothing was started: the request has 1 problem\n  orgId is not 24'],
  [`schedule create ${PAIR} ${IP}/33 --cron "0 6 * * 1"`, 'no schedule was created: the request has 1'],
  ['watch', NO_RUN],
  [`recover ${ORG}`, "required option '--run-id <id>' not specified"],
];

/** Values that are not valid: the command, the option, its value and the problem. */
const INVALID: [command: string, option: string, value: string, problem: string][] = [
  ['watch --org ABC', '--org <id>', 'ABC', 'It is not 24 lower-case hexadecimal digits'],
  [`redeliver ${ORG} --source-org x`, '--source-org <id>', 'x', 'It is not 24 lower-case'],
  [`recover ${ORG} --run-id last`, '--run-id <id>', 'last', 'Copy the run id'],
  ['list --since yesterday', '--since <time>', 'yesterday', 'Write one such as 2026-'],
  [`watch ${ORG} --timeout 600h`, '--timeout <duration>', '600h', 'Write one such as 30s, 10m or 2h, of at'],
];

const CONFLICTS: [command: string, option: string, other: string][] = [
  [`start ${REQUEST} --no-access-list`, '--no-access-list', '--ip <address>'],
  [`start ${PAIR} --no-access-list --ips-file none`, '--no-access-list', '--ips-file <file>'],
  [`start ${FROM} --sink files`, '--from <file>', '--sink <name>'],
  [`start ${FROM} --again`, '--from <file>', '--again'],
  [`cancel ${ORG} --workflow-id x`, '--workflow-id <id>', '--org <id>'],
  [`redeliver --all ${ORG}`, '--all', '--org <id>'],
  ['list --requests --details', '--requests', '--details'],
  ['list --undelivered --failure TokenLost', '--failure <type>', '--undelivered'],
];

/** Temporal is not there, so that anything but exit code 2 means that a command went on. */
describe('exit code 2, before Temporal is called, for', () => {
  it.each([
    ...WRONG,
    ...INVALID.map(([command, option, value, problem]) => [
      command,
      `option '${option}' argument '${value}' is invalid. ${problem}`,
    ]),
    ...CONFLICTS.map(([command, option, other]) => [
      command,
      `option '${option}' cannot be used with option '${other}'`,
    ]),
  ])('%j', async (command = '', message) => {
    const exit = await run(command);
    expect(exit).toMatchObject({ code: EXIT_CODES.usage, stdout: '' });
    expect(exit.stderr).toContain(message);
    expect(exit.stderr).toMatch(/^live-migration-prep: /m);
  });

  it.each(['--json watch --org ABC', 'watch --org ABC --json'])('%s, as JSON, too', async (command) => {
    const json = await run(command);
    expect(json.code).toBe(EXIT_CODES.usage);
    expect(objectIn(json)['error']).toContain("option '--org <id>' argument 'ABC' is invalid");
  });
});

it('--help names every command and every exit code, and is no error', async () => {
  const { code, stdout, stderr } = await run('--help');
  expect({ code, stderr }).toEqual({ code: EXIT_CODES.done, stderr: '' });
  const commands = 'start watch list cancel redeliver recover doctor keys schedule'.split(' ');
  for (const name of [...commands, ...Object.values(EXIT_CODES)])
    expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\S`, 'm'));
});

it('--version prints the version of the package', async () => {
  expect(await run('--version')).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
});
