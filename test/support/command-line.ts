import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { embeddedEnv } from '../../dev/temporal/embedded-env';
import type { Io } from '../../src/commands/cli/output';
import { workflowIdFor } from '../../src/contract/names';
import type { TestAtlas } from './atlas';
import { WITH_BLOCKED_SINK, blockSink } from './blocked-sink';
import type { Config, Deployment } from './deployment';
import { end } from './ending';
import { newOrgId } from './ids';
import { deploy, sharedTemporal, startAtlas } from './installation';
import { run, startCommand, type ClientExit, type RunningCommand } from './run-command';

export const CLIENT = path.join(__dirname, '../../dist/client.js');

/** Runs one command to its end. */
type CommandLine = (...args: string[]) => Promise<ClientExit>;

/** The run of one pair of organizations, as commands name it. */
export interface Target {
  workflowId: string;
  /** `--org` and `--source-org`. */
  options: string[];
}

export interface CommandFixture {
  atlas: TestAtlas;
  deployment: Deployment;
  client: CommandLine;
  /** A pair of organizations that no other test has. */
  newTarget(): Target;
  /** Starts a command whose output is read while it runs. */
  follow(...args: string[]): RunningCommand;
  /** Runs one command to its end, which reads this on standard input. */
  piped(stdin: string | Buffer, ...args: string[]): Promise<ClientExit>;
}

/** An emulator and an installation, without a worker yet. No output of a command may hold one of their secrets. */
export async function createCommandFixture(config: Config = {}): Promise<CommandFixture> {
  const atlas = await startAtlas();
  const deployment = await deploy({ atlas, config });
  const { address } = await sharedTemporal();
  const env = embeddedEnv(address);
  const commandOf = (args: readonly string[]) => ['--task-queue', deployment.taskQueue, ...args];
  const checked = (exit: ClientExit) => {
    expectNoSecretIn(exit.stdout + exit.stderr, secretsOf(atlas, deployment));
    return exit;
  };
  const follow = (args: readonly string[], stdin?: Io['stdin']) => {
    const command = startCommand(commandOf(args), env, stdin);
    return { ...command, exited: command.exited.then(checked) };
  };
  return {
    atlas,
    deployment,
    client: async (...args) => checked(await run(commandOf(args), env)),
    newTarget() {
      const sourceOrgId = newOrgId();
      const { orgId } = atlas.account;
      const options = ['--org', orgId, '--source-org', sourceOrgId];
      return { workflowId: workflowIdFor(orgId, sourceOrgId), options };
    },
    follow: (...args) => follow(args),
    piped: (stdin, ...args) => follow(args, Readable.from([stdin])).exited,
  };
}

export const TO_FILES = ['--ip', '192.31.196.7', '--sink', 'files'];
export const TO_BLOCKED = ['--ip', '192.31.196.7', '--sink', 'blocked'];

export interface RunTarget extends Target {
  runId: string;
}

export type BlockedFixture = Awaited<ReturnType<typeof createBlockedFixture>>;

/** A fixture with {@link WITH_BLOCKED_SINK} and a worker, and the runs that tests of commands begin with. */
export async function createBlockedFixture() {
  const fixture = await createCommandFixture(WITH_BLOCKED_SINK);
  const blocked = blockSink(fixture.deployment);
  const { client: temporal } = await sharedTemporal();
  await fixture.deployment.startWorker();
  const newestOf = (workflowId: string) => temporal.workflow.getHandle(workflowId).describe();
  const newestRunId = async (workflowId: string) => (await newestOf(workflowId)).runId;
  const statusOf = async (workflowId: string) => (await newestOf(workflowId)).status.name;

  /** A run whose token is undelivered. */
  async function undelivered(): Promise<RunTarget> {
    blocked.block();
    const target = fixture.newTarget();
    const exit = await fixture.client('start', ...target.options, ...TO_BLOCKED, '--wait');
    expect(exit).toMatchObject({ code: 5 });
    return { ...target, runId: await newestRunId(target.workflowId) };
  }

  /** A run that was ended while its token was undelivered. */
  async function endedWithToken(how: 'cancel' | 'terminate'): Promise<RunTarget> {
    const run = await undelivered();
    await end(temporal.workflow.getHandle(run.workflowId), how);
    return run;
  }

  return { ...fixture, blocked, temporal, newestRunId, statusOf, undelivered, endedWithToken };
}

/** All that an output must not hold: what authenticates, what was created, what seals. */
export function secretsOf(atlas: TestAtlas, { keysFile }: Pick<Deployment, 'keysFile'>): string[] {
  const { keys } = JSON.parse(readFileSync(keysFile, 'utf8')) as { keys: { k: string }[] };
  return [
    atlas.account.clientSecret,
    atlas.account.privateKey,
    ...atlas.createdTokens().map(({ linkToken }) => linkToken),
    ...keys.map(({ k }) => k),
  ];
}

/** Sealed tokens, which start as every JWE does, are not for the terminal either. */
export function expectNoSecretIn(output: string, secrets: readonly string[]): void {
  expect(secrets.filter((secret) => output.includes(secret))).toEqual([]);
  expect(output).not.toMatch(/eyJ[\w-]{20}/);
}
