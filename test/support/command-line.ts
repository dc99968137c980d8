import { readFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../dev/embedded-env';
import { startTethered, type Exit } from '../../dev/tethered-process';
import { workflowIdFor, type Receipt } from '../../src/contract/names';
import type { TestAtlas } from './atlas';
import { cleanUpLater } from './clean-up';
import type { ClientExit, Config, Deployment } from './deployment';
import { newOrgId } from './ids';
import { deploy, sharedTemporal, startAtlas } from './setting';

export const CLIENT = path.join(__dirname, '../../dist/client.js');

/** Runs one command to its end. */
export type CommandLine = (...args: string[]) => Promise<ClientExit>;

/** The run of one pair of organizations, as commands name it. */
export interface Target {
  workflowId: string;
  /** `--org` and `--source-org`. */
  options: string[];
}

export interface Scene {
  atlas: TestAtlas;
  deployment: Deployment;
  client: CommandLine;
  /** A pair of organizations that no other test has. */
  newTarget(): Target;
  /** Starts a command whose output is read while it runs. */
  follow(...args: string[]): { output(): string; exited: Promise<Exit> };
}

/** An emulator and an installation, without a worker yet. No output of a command may hold one of their secrets. */
export async function setScene(config: Config = {}): Promise<Scene> {
  const atlas = await startAtlas();
  const deployment = await deploy({ atlas, config });
  const { address } = await sharedTemporal();
  let followed = 0;
  return {
    atlas,
    deployment,
    async client(...args) {
      const exit = await deployment.runClient(...args);
      expectNoSecretIn(exit.stdout + exit.stderr, secretsOf(atlas, deployment));
      return exit;
    },
    newTarget() {
      const sourceOrgId = newOrgId();
      const { orgId } = atlas.account;
      const options = ['--org', orgId, '--source-org', sourceOrgId];
      return { workflowId: workflowIdFor(orgId, sourceOrgId), options };
    },
    follow(...args) {
      followed += 1;
      const logFile = path.join(deployment.folder, `client-${followed}.log`);
      const command = [CLIENT, '--task-queue', deployment.taskQueue, ...args];
      const child = startTethered(process.execPath, command, { env: embeddedEnv(address), logFile });
      cleanUpLater(() => child.end('SIGKILL'));
      const output = () => readFileSync(logFile, 'utf8');
      const exited = child.exited.then((exit) => {
        expectNoSecretIn(output(), secretsOf(atlas, deployment));
        return exit;
      });
      return { output, exited };
    },
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

/** What a command with `--json` prints: one object, and nothing else. */
export function objectIn({ stdout }: ClientExit): { receipt: Receipt } & Record<string, unknown> {
  expect(stdout.trim().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as { receipt: Receipt } & Record<string, unknown>;
}
