import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { judgeAtlasError } from '../activities/atlas-verdicts';
import { createAccess } from '../access';
import { createAtlas } from '../atlas/client';
import { loadConfig, type Config } from '../config';
import { CommandError, EXIT_CODES } from './command-error';
import type { Output } from './output';

const TEMPORAL_TIMEOUT_MS = 4000;

/** What one check found. A problem stops runs; a warning will hurt one day. */
interface Finding {
  check: string;
  state: 'ok' | 'warning' | 'problem';
  /** What is well, or what is wrong and how to mend it. */
  words: string;
}

type Check = () => Promise<Omit<Finding, 'check'>>;

const ok = (words: string) => ({ state: 'ok', words }) as const;
const warning = (words: string) => ({ state: 'warning', words }) as const;
const problem = (words: string) => ({ state: 'problem', words }) as const;

/**
 * Looks whether a worker with this configuration can do its work: Temporal, credentials, sinks, keys. It changes
 * nothing and creates no link-token.
 *
 * @throws ConfigError; CommandError when a check found something to mend, if only a warning.
 */
export async function doctor(configFile: string | undefined, output: Output): Promise<void> {
  const config = loadConfig(process.env, configFile);
  output.say('looking only: nothing is changed and no link-token is created');
  const findings: Finding[] = config.warnings.map((words) => ({ check: 'configuration', ...warning(words) }));
  for (const [check, run] of checksOf(config)) {
    findings.push({ check, ...(await run().catch((error: unknown) => problem((error as Error).message))) });
  }
  const lines = findings.map(({ check, state, words }) => `${state.padEnd(8)}${check}: ${words}`);
  const toMend = findings.filter(({ state }) => state !== 'ok').length;
  if (toMend > 0) {
    output.say(lines.join('\n'));
    throw new CommandError(`${toMend} to mend`, EXIT_CODES.failed, { findings });
  }
  output.outcome({ findings }, lines.join('\n'));
}

function checksOf(config: Config): [name: string, check: Check][] {
  return [
    ['Temporal', () => checkTemporal(config)],
    ['sealing keys', () => checkKeys(config)],
    ...[...config.atlas.credentials.keys()].map((name): [string, Check] => [
      `credential ${name}`,
      () => checkCredential(config, name),
    ]),
    ...[...config.sinks].map(([name, create]): [string, Check] => [
      `sink ${name}`,
      async () => {
        const sink = await create();
        return ok(sink.check ? await sink.check() : 'configured; only a delivery can tell more');
      },
    ]),
  ];
}

/** A token waits in history for its delivery, so history has to outlive the delivery's give-up time. */
async function checkTemporal({ retries }: Config) {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const address = connectionOptions.address ?? 'localhost:7233';
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ ...connectionOptions, connectTimeout: TEMPORAL_TIMEOUT_MS });
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    const retentionMs = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
    const retention = `namespace ${namespace} at ${address} keeps a closed run ${hours(retentionMs)}`;
    if (retentionMs >= retries.deliver.giveUpAfterMs) return ok(retention);
    return warning(
      `${retention}, less than the ${hours(retries.deliver.giveUpAfterMs)} a delivery is tried: a token that was not delivered is soon lost; lengthen it with: temporal operator namespace update --namespace ${namespace} --retention 7d`,
    );
  } catch (error) {
    return problem(
      `namespace ${namespace} at ${address} cannot be reached (${(error as Error).message}): start it, or set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE`,
    );
  } finally {
    await connection?.close();
  }
}

async function checkKeys({ sealing }: Config) {
  await sealing.probe();
  const [first, ...others] = sealing.keyIds;
  return ok(`key ${first ?? ''} seals and opens${others.length > 0 ? `; ${others.join(', ')} open` : ''}`);
}

async function checkCredential(config: Config, name: string) {
  const { organizations, credentials } = config.atlas;
  const access = createAccess(organizations, [...credentials.keys()], []);
  const served = [...(organizations?.keys() ?? [])].filter((orgId) => access.credentialFor(orgId) === name);
  const atlas = createAtlas(config.atlas);
  try {
    const visible = await atlas.visibleOrganizations(name);
    const missing = served.filter((orgId) => !visible.includes(orgId));
    if (missing.length === 0) return ok(`Atlas takes it; it sees ${visible.join(', ') || 'no organization'}`);
    return problem(
      `Atlas takes it, but it does not see ${missing.join(', ')} (it sees ${visible.join(', ') || 'none'}): a credential belongs to one organization, so name another for the rest under atlas.organizations`,
    );
  } catch (error) {
    return problem(judgeAtlasError(error).message);
  } finally {
    await atlas.close();
  }
}

function hours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}
