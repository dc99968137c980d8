/** Runs the job on a Temporal server and the Atlas emulator, and measures what its workers use. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { PrepareRequest } from '../../src/contract/schemas';
import { workflowIdFor } from '../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../src/contract/workflows';
import { connectClient } from '../../src/temporal/connection';
import { DEFAULTS, startAtlasEmulator } from '../atlas-emulator';
import { devServerEnv } from '../temporal/dev-server-env';
import { DEMO_CONFIG, startDemoWorker } from './demo-worker';

const MS_PER_TICK = 10;

/** Creates a request that no other run has. */
export function newRequest(orgId = DEFAULTS.orgId) {
  const sourceOrgId = randomBytes(12).toString('hex');
  return { orgId, sourceOrgId, accessListIps: ['192.31.196.7'], sink: 'drop' };
}

/** Names Atlas organizations, of which each has a service account of its own. */
export function organizationIds(count: number): string[] {
  const base = BigInt(`0x${DEFAULTS.orgId}`);
  return Array.from({ length: count }, (_, index) => (base + BigInt(index)).toString(16));
}

interface JobOptions {
  /** The embedded server; null for that of TEMPORAL_ADDRESS and so on. */
  server: { address: string } | null;
  /** More of the workers' configuration, in YAML. */
  config?: string;
  /** Atlas organizations, if they are others than that of the demo. */
  orgIds?: readonly string[];
}

export type Job = Awaited<ReturnType<typeof startJob>>;

/** Starts the Atlas emulator, and connects to Temporal. */
export async function startJob({ server, config = '', orgIds = [] }: JobOptions) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-'));
  const env = server ? devServerEnv(server.address) : process.env;
  const { connection, client } = await connectClient(env);
  const { workflow } = client;
  const settings = { rateLimit: { enabled: false }, accessTokensPerMinute: null };
  const { clientSecret } = DEFAULTS.serviceAccount;
  const accounts = orgIds.map((orgId) => ({ clientId: `mdb_sa_id_${orgId}`, clientSecret, orgId }));
  const organizations = orgIds.map((id) => ({ id, name: 'Measured organization' }));
  const atlas = await startAtlasEmulator({
    seed: {
      settings,
      ...(orgIds.length > 0 && { organizations, serviceAccounts: accounts, apiKeys: [] }),
    },
  });
  const taskQueue = `measured-${randomBytes(4).toString('hex')}`;
  return {
    folder,
    env,
    client,
    workflow,
    atlas,
    taskQueue,
    startWorker: () =>
      startDemoWorker({
        folder,
        env,
        temporalAddress: '',
        atlasUrl: atlas.url,
        config: `taskQueue: ${taskQueue}\n${DEMO_CONFIG}${config}${describeOrganizations(orgIds)}`,
      }),
    start: (request: PrepareRequest & ReturnType<typeof newRequest>) =>
      workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId: workflowIdFor(request),
        taskQueue,
        args: [request],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    async close() {
      await Promise.all([atlas.close(), connection.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Writes the part of the configuration that gives each organization a credential of its own. */
function describeOrganizations(orgIds: readonly string[]): string {
  if (orgIds.length === 0) return '';
  const credentialOf = (orgId: string) => ({
    type: 'serviceAccount',
    clientId: `mdb_sa_id_${orgId}`,
    clientSecret: { env: 'MONGODB_ATLAS_CLIENT_SECRET' },
  });
  const credentials = orgIds.map((orgId) => [`of-${orgId}`, credentialOf(orgId)]);
  const organizations = orgIds.map((orgId) => [
    orgId,
    { credential: `of-${orgId}`, sinks: ['drop'] },
  ]);
  const atlas = {
    credentials: Object.fromEntries(credentials) as object,
    organizations: Object.fromEntries(organizations) as object,
  };
  return `atlas: ${JSON.stringify(atlas)}\n`;
}

/**
 * CPU time of a process and of those that it started and that still run, such as a worker's process
 * that writes files; NaN where there is no /proc.
 */
export function cpuMs(pid: number): number {
  const children = readProc(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return children.reduce((sum, child) => sum + cpuMs(child), readTimes(pid, 11));
}

/** CPU time of this process's children that have ended; NaN where there is no /proc. */
export function childrenCpuMs(): number {
  return readTimes(process.pid, 13);
}

/** Adds the user time and the system time after it. */
function readTimes(pid: number, index: number): number {
  const fields = readProc(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[index] ?? NaN) + Number(fields[index + 1] ?? NaN)) * MS_PER_TICK;
}

/** Resident memory now, or with VmHWM the most so far; NaN where there is no /proc. */
export function memoryMiB(pid: number, field = 'VmRSS'): number {
  const [, kiB] = new RegExp(`${field}:\\s+(\\d+)`).exec(readProc(pid, 'status')) ?? [];
  return Math.round(Number(kiB) / 1024);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
