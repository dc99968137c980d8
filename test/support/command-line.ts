import { readFileSync } from 'node:fs';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import { workflowIdFor } from '../../src/contract/workflow-id';
import { startAtlas } from './atlas';
import { WITH_BLOCKED_SINK, blockSink } from './blocked-sink';
import { newAddress, newOrgId } from './ids';
import { install, type Config } from './installation';
import { startCommand } from './run-command';
import { sharedTemporal } from './temporal';

export type CommandFixture = Awaited<ReturnType<typeof createCommandFixture>>;

/** A pair of organizations that no other test has, as commands name it. */
export type Target = ReturnType<CommandFixture['newTarget']>;

/**
 * An emulator, an installation with {@link WITH_BLOCKED_SINK}, a worker, and the command line. No
 * output of a command may hold a secret.
 */
export async function createCommandFixture(config: Config = {}) {
  const [{ address, client: temporal }, atlas] = await Promise.all([
    sharedTemporal(),
    startAtlas(),
  ]);
  const installation = await install({ atlas, config: { ...WITH_BLOCKED_SINK, ...config } });
  const blockedSink = blockSink(installation);
  await installation.startWorker();
  const { keys } = JSON.parse(readFileSync(installation.keysFile, 'utf8')) as {
    keys: { k: string }[];
  };

  /** No output may hold a sealed token either, which starts with `eyJ` as every JWE does. */
  function expectNoSecretIn(output: string): void {
    const { clientSecret, privateKey } = atlas.account;
    const tokens = atlas.createdTokens().map(({ linkToken }) => linkToken);
    const secrets = [clientSecret, privateKey, ...tokens, ...keys.map(({ k }) => k)];
    expect(secrets.filter((secret) => output.includes(secret))).toEqual([]);
    expect(output).not.toMatch(/eyJ[\w-]{20}/);
  }

  /** Starts a command whose output is read while it runs. */
  function start(
    args: readonly string[],
    { env = {}, stdin }: { env?: object; stdin?: string } = {},
  ) {
    const queue = ['--task-queue', installation.taskQueue];
    const command = startCommand([...queue, ...args], { ...devServerEnv(address), ...env }, stdin);
    const exited = command.exited.then((exit) => {
      expectNoSecretIn(exit.stdout + exit.stderr);
      return exit;
    });
    return { ...command, exited };
  }

  return {
    atlas,
    installation,
    blockedSink,
    /** Temporal's address. */
    address,
    temporal,
    start,
    /** Runs a command to its end. */
    client: (...args: string[]) => start(args).exited,
    newTarget() {
      const { orgId } = atlas.account;
      const [sourceOrgId, ip] = [newOrgId(), newAddress()];
      const options = ['--org', orgId, '--source-org', sourceOrgId];
      return {
        workflowId: workflowIdFor({ orgId, sourceOrgId }),
        /** The run, as `list` prints it. */
        name: `${orgId}/${sourceOrgId}`,
        /** The options that `start` and `schedule create` require. */
        requestOptions: (sink = 'files') => [...options, '--ip', ip, '--sink', sink],
        /** Counts the tokens that Atlas created for this pair. */
        created: () => atlas.created({ accessListIps: [ip] }),
      };
    },
    newestRunId: async (workflowId: string) =>
      (await temporal.workflow.getHandle(workflowId).describe()).runId,
  };
}
