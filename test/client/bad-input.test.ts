import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { objectIn, setScene, type Scene } from '../support/command-line';
import { newOrgId } from '../support/ids';
import { sharedTemporal } from '../support/setting';

jest.setTimeout(60_000);

let scene: Scene;

beforeAll(async () => {
  scene = await setScene();
});

function fileOf(content: string): string {
  const file = path.join(scene.deployment.folder, `addresses-${newOrgId()}`);
  writeFileSync(file, content);
  return file;
}

/** No worker is there, so that a run that was started would be found. */
async function expectNoRun(workflowId: string): Promise<void> {
  const { client } = await sharedTemporal();
  await expect(client.workflow.getHandle(workflowId).describe()).rejects.toThrow(WorkflowNotFoundError);
}

const TO_FILES = ['--sink', 'files'];
const addresses = (count: number) =>
  Array.from({ length: count }, (_, i) => `198.51.${i >> 8}.${i & 255}`).join('\n');

describe('start refuses, with exit code 2, what to write instead, and no run:', () => {
  it.each<[what: string, options: string[], words: string]>([
    ['no sink', ['--ip', '203.0.113.7'], "required option '--sink <name>' not specified"],
    ['an empty sink', ['--sink', ''], 'sink is empty: name a configured sink'],
    ['an unknown option', [...TO_FILES, '--again-and-again'], "unknown option '--again-and-again'"],
    ['an argument too many', [...TO_FILES, '203.0.113.7'], 'too many arguments'],
    ['a source that is none', [...TO_FILES, '--source-org', 'ABC'], 'sourceOrgId is not 24 lower-case'],
    [
      'a text that is too long',
      [...TO_FILES, '--requested-by', 'x'.repeat(201)],
      'requestedBy is longer than 200 characters: shorten it',
    ],
  ])('%s', async (_what, options, words) => {
    const { workflowId, options: target } = scene.newTarget();
    const exit = await scene.client('start', ...target, ...options);
    expect(exit).toMatchObject({ code: 2, stdout: '' });
    expect(exit.stderr).toContain(words);
    await expectNoRun(workflowId);
  });

  it('every address that is wrong, in one answer', async () => {
    const { workflowId, options } = scene.newTarget();
    const wrong: [address: string, words: string][] = [
      ['10.1.2.3/24', 'has bits set below its mask: write 10.1.2.0/24'],
      ['010.0.0.1', 'has leading zeros, which some read as octal: write 10.0.0.1'],
      ['203.0.113.0/33', 'has a mask out of range: write 203.0.113.0/ and a number from 1 to 32'],
      ['203.0.113.0/255.255.255.0', 'has its mask in dots: write 203.0.113.0/24'],
      ['203.0.113. 7', 'holds white space: write 203.0.113.7'],
      ['::ffff:203.0.113.7', 'is an IPv4-mapped IPv6 address: write 203.0.113.7'],
      ['host.example.com', 'is neither an address nor a CIDR block: write one such as'],
      ['0.0.0.0/0', 'lets in the whole Internet: list the addresses of the source'],
      ['127.0.0.1', 'takes in loopback addresses (127.0.0.0/8), never a source on the Internet'],
    ];
    const ips = wrong.flatMap(([address]) => ['--ip', address]);
    const { code, stderr } = await scene.client('start', ...options, ...ips, ...TO_FILES);
    expect(code).toBe(2);
    expect(stderr).toContain(`nothing was started; the request has ${wrong.length} problem(s):`);
    wrong.forEach(([address, words], index) =>
      expect(stderr).toContain(`  accessListIps[${index}] "${address}" ${words}`),
    );
    await expectNoRun(workflowId);
  });

  it.each<[what: string, content: string, words: string]>([
    ['an empty file', '', 'holds no address: leave the option out to send an empty list'],
    ['a file of comments', '# the source\n\n   # nothing yet\n', 'holds no address'],
    ['a file over 1 MiB', '203.0.113.7\n'.repeat(100_000), 'is larger than 1 MiB'],
    ['a list of 10,000', addresses(10_000), 'has more than 1000 entries: write whole networks as CIDR'],
    ['a file with a wrong line', '203.0.113.7\nhost:443\n', 'accessListIps[1] "host:443" is neither'],
  ])('%s', async (_what, content, words) => {
    const { workflowId, options } = scene.newTarget();
    const exit = await scene.client('start', ...options, '--ips-file', fileOf(content), ...TO_FILES);
    expect(exit).toMatchObject({ code: 2, stdout: '' });
    expect(exit.stderr).toContain(words);
    await expectNoRun(workflowId);
  });

  it.each<[what: string, file: () => string, words: string]>([
    ['a file that is not there', () => path.join(scene.deployment.folder, 'none'), '(ENOENT)'],
    ['a folder', () => scene.deployment.folder, '(EISDIR)'],
  ])('%s', async (_what, file, words) => {
    const { workflowId, options } = scene.newTarget();
    const { code, stderr } = await scene.client('start', ...options, '--ips-file', file(), ...TO_FILES);
    expect(code).toBe(2);
    expect(stderr).toContain(`--ips-file ${file()} cannot be read ${words}`);
    await expectNoRun(workflowId);
  });
});

describe('other commands refuse with exit code 2:', () => {
  it.each<[command: string[], words: string]>([
    [['start', '--org', 'ABC', ...TO_FILES], 'orgId is not 24 lower-case hexadecimal digits'],
    [['watch', '--org', 'ABC'], '--org is not 24 lower-case hexadecimal digits'],
    [['cancel'], 'name the run: --org, or --workflow-id'],
    [['redeliver', '--org', newOrgId(), '--source-org', 'x'], '--source-org is not 24 lower-case'],
    [['restart', '--since', 'yesterday'], '--since is not a time: write one such as 2026-'],
    [['restart', '--since', '2026-11-25T09:00:00Z', '--failure', 'Sad'], 'write one of InvalidRequest, '],
    [['keys'], "required option '--file <file>' not specified"],
    [['restrat'], "unknown command 'restrat'"],
    [[], 'Usage: live-migration-prep'],
  ])('%j', async (command, words) => {
    const exit = await scene.client(...command);
    expect(exit).toMatchObject({ code: 2, stdout: '' });
    expect(exit.stderr).toContain(words);
  });

  it('and --help is no error', async () => {
    const { code, stdout, stderr } = await scene.client('start', '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('--ips-file');
  });
});

describe('what only the worker can tell ends the run:', () => {
  beforeAll(async () => {
    await scene.deployment.startWorker();
  }, 60_000);

  it('an unknown sink, with the known ones named and Atlas not asked', async () => {
    const options = [...scene.newTarget().options, '--sink', 'nowhere', '--wait'];
    const { code, stderr } = await scene.client('start', ...options);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /InvalidRequest: .*"nowhere" is not a sink of this organization: write one of files/,
    );
    expect(scene.atlas.requests()).toEqual([]);
  });

  it('and a file with comments, blank lines and Windows line ends is sent without them', async () => {
    const file = fileOf('# the source\r\n203.0.113.7 # first host\r\n\r\n  198.51.100.0/24\n2001:db8::/48');
    const options = [...scene.newTarget().options, '--ips-file', file, '--ip', '192.0.2.1', ...TO_FILES];
    const exit = await scene.client('--json', 'start', ...options, '--wait');
    const sent = ['192.0.2.1', '203.0.113.7', '198.51.100.0/24', '2001:db8::/48'];
    expect(objectIn(exit).receipt.accessListIps).toEqual(sent);
    expect(scene.atlas.createdTokens()[0]?.accessListIps).toEqual(sent);
  });
});
