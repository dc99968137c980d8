import { createAdminApi } from '../atlas/admin-api';
import { classifyAtlasError } from '../atlas/outcomes';
import { loadConfig, type Config } from '../config';
import { createOrganizations } from '../config/organizations';
import { probeSealer } from '../sealing';
import { connectClient } from '../temporal/connection';
import { CommandError, EXIT_CODES } from './command-error';
import type { Output } from './output';

const TEMPORAL_TIMEOUT_MS = 4000;

/** The time to recover a token from a closed run. */
const RECOMMENDED_RETENTION_MS = 72 * 3_600_000;

/** What one check found. An error stops runs; a warning will one day. */
interface Finding {
  check: string;
  state: 'ok' | 'warning' | 'error';
  /** What is well, or what is wrong and how to fix it. */
  message: string;
}

type Check = () => Promise<Omit<Finding, 'check'>>;

const ok = (message: string) => ({ state: 'ok', message }) as const;
const warning = (message: string) => ({ state: 'warning', message }) as const;
const error = (message: string) => ({ state: 'error', message }) as const;

/**
 * Checks whether a worker with this configuration can do its work: Temporal, credentials, sinks, keys. It changes
 * nothing and creates no link-token.
 *
 * @throws ConfigError; CommandError when a check found an error or a warning.
 */
export async function doctor(
  configFile: string | undefined,
  output: Output,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const config = loadConfig(env, configFile);
  output.say('checking only: nothing is changed and no link-token is created');
  const findings: Finding[] = config.warnings.map((message) => ({
    check: 'configuration',
    ...warning(message),
  }));
  for (const [check, run] of checksOf(config, env)) {
    findings.push({ check, ...(await run().catch((cause: unknown) => error((cause as Error).message))) });
  }
  const lines = findings.map(({ check, state, message }) => `${state.padEnd(8)}${check}: ${message}`);
  const count = (wanted: Finding['state']) => findings.filter(({ state }) => state === wanted).length;
  if (count('ok') === findings.length) {
    output.print({ findings }, lines);
    return;
  }
  output.say(...lines);
  throw new CommandError(
    `${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}`,
    EXIT_CODES.failed,
    { findings },
  );
}

function checksOf(config: Config, env: NodeJS.ProcessEnv): [name: string, check: Check][] {
  return [
    ['Temporal', () => checkTemporal(env)],
    ['sealing keys', () => checkKeys(config)],
    ...[...config.atlas.credentials.keys()].map((name): [string, Check] => [
      `credential ${name}`,
      () => checkCredential(config, name),
    ]),
    ...[...config.sinks].map(([name, create]): [string, Check] => [
      `sink ${name}`,
      async () => {
        const sink = await create();
        return ok(
          sink.check ? await sink.check() : 'configured (cannot be tested without delivering a token)',
        );
      },
    ]),
  ];
}

async function checkTemporal(env: NodeJS.ProcessEnv) {
  const { connection, address, namespace, unreachable } = await connectClient(env, TEMPORAL_TIMEOUT_MS);
  try {
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    const retentionMs = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
    const retention = `namespace ${namespace} at ${address} retains closed runs for ${hours(retentionMs)}`;
    if (retentionMs >= RECOMMENDED_RETENTION_MS) return ok(retention);
    return warning(
      `${retention}: recommended are ${hours(RECOMMENDED_RETENTION_MS)}, the time to recover a token from a cancelled or terminated run; lengthen it with: temporal operator namespace update --namespace ${namespace} --retention 7d`,
    );
  } catch (cause) {
    throw unreachable(cause);
  } finally {
    await connection.close();
  }
}

async function checkKeys({ sealing }: Config) {
  await probeSealer(sealing);
  const [first, ...others] = sealing.keyIds();
  return ok(`key ${first ?? ''} seals and opens${others.length > 0 ? `; ${others.join(', ')} open` : ''}`);
}

async function checkCredential(config: Config, name: string) {
  const { organizations, credentials } = config.atlas;
  const access = createOrganizations({ organizations, credentials, sinks: config.sinks });
  const served = [...(organizations?.keys() ?? [])].filter((orgId) => access.credentialFor(orgId) === name);
  const atlas = createAdminApi(config.atlas);
  try {
    const visible = await atlas.visibleOrganizations(name);
    const missing = served.filter((orgId) => !visible.includes(orgId));
    if (missing.length === 0)
      return ok(`accepted by Atlas; can see ${visible.join(', ') || 'no organization'}`);
    return error(
      `accepted by Atlas, but cannot see ${missing.join(', ')} (it can see ${visible.join(', ') || 'none'}): a credential belongs to one organization, so name another for the rest under atlas.organizations`,
    );
  } catch (cause) {
    return error(classifyAtlasError(cause).message);
  } finally {
    await atlas.close();
  }
}

function hours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
