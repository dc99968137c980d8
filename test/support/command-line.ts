import { readFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../dev/temporal/embedded-env';
import { workflowIdFor } from '../../src/contract/names';
import { startAtlas, type TestAtlas } from './atlas';
import { WITH_BLOCKED_SINK, blockSink } from './blocked-sink';
import { newAddress, newOrgId } from './ids';
import { deploy, type Deployment } from './installation';
import { objectIn, startCommand, type ClientExit } from './run-command';
import { sharedTemporal } from './temporal';

export const CLIENT = path.join(__dirname, '../../dist/client.js');

/** A pair of organizations that no other test has, as commands name it. */
export interface Target {
  workflowId: string;
  /** `--org` and `--source-org`. */
  options: string[];
  /** Options of `start` beside these and `--sink`. */
  address: string[];
  /** The tokens that Atlas created for this pair. */
  created(): number;
}

export type CommandFixture = Awaited<ReturnType<typeof createCommandFixture>>;

/**
 * An emulator, an installation with {@link WITH_BLOCKED_SINK}, a worker, and the command line. No output of a command
 * may hold a secret.
 */
export async function createCommandFixture() {
  const [{ address, client: temporal }, atlas] = await Promise.all([sharedTemporal(), startAtlas()]);
  const deployment = await deploy({ atlas, config: WITH_BLOCKED_SINK });
  blockSink(deployment);
  await deployment.startWorker();

  function start(args: readonly string[], stdin?: string) {
    const queue = ['--task-queue', deployment.taskQueue];
    // `recover` has a default of its own.
    const all = args.includes('recover') ? args : [...queue, ...args];
    const command = startCommand(all, embeddedEnv(address), stdin);
    const exited = command.exited.then((exit) => {
      expectNoSecretIn(exit.stdout + exit.stderr, secretsOf(atlas, deployment));
      return exit;
    });
    return { ...command, exited };
  }

  const client = (...args: string[]) => start(args).exited;

  return {
    atlas,
    deployment,
    temporal,
    /** Starts a command whose output is read while it runs. */
    follow: (...args: string[]) => start(args),
    /** Runs a command to its end. */
    client,
    /** Runs a command with `--json` to its end. Returns its exit code and the facts that it prints last. */
    async json(...args: string[]): Promise<ClientExit & ReturnType<typeof objectIn>> {
      const exit = await client('--json', ...args);
      return { ...exit, ...objectIn(exit) };
    },
    /** Runs a command that reads this on standard input. */
    piped: (stdin: string, ...args: string[]): Promise<ClientExit> => start(args, stdin).exited,
    newTarget(): Target {
      const { orgId } = atlas.account;
      const [sourceOrgId, ip] = [newOrgId(), newAddress()];
      return {
        workflowId: workflowIdFor(orgId, sourceOrgId),
        options: ['--org', orgId, '--source-org', sourceOrgId],
        address: ['--ip', ip],
        created: () => atlas.created({ accessListIps: [ip] }),
      };
    },
    newestRunId: async (workflowId: string) =>
      (await temporal.workflow.getHandle(workflowId).describe()).runId,
  };
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
