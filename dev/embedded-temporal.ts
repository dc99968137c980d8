import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { embeddedEnv } from './embedded-env';
import { freePort } from './free-port';
import { temporalBinary } from './temporal-binary';
import { startTethered, type TetheredProcess } from './tethered-process';

export interface EmbeddedTemporalOptions {
  /** Serves Temporal's UI too. */
  ui?: boolean;
  /** Keeps the state in this SQLite file; else it ends with the server. */
  databaseFile?: string;
  logFile?: string;
}

export interface EmbeddedTemporal {
  /** Host and port of the gRPC service. */
  readonly address: string;
  readonly namespace: string;
  /** Null when the UI was not asked for. */
  readonly uiUrl: string | null;
  readonly client: Client;
  stop(): Promise<void>;
}

/** The namespace that a development server makes by itself. */
const NAMESPACE = 'default';

const HOST = '127.0.0.1';

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 10;

const DYNAMIC_CONFIG = [
  // Each step waits for the transfer queue's next poll: 50 ms at the default 20 polls a second.
  'history.transferProcessorMaxPollRPS=10000',
  // Else a timer, such as that of a retry, may come up to a second late.
  'history.timerProcessorMaxTimeShift="10ms"',
  // Else the server asks temporal.io for its newest version.
  'frontend.enableServerVersionCheck=false',
];

/** Starts Temporal's development server. It ends with this process at the latest. */
export async function startEmbeddedTemporal(
  options: EmbeddedTemporalOptions = {},
): Promise<EmbeddedTemporal> {
  const port = await freePort();
  const uiPort = options.ui ? await freePort() : null;
  const address = `${HOST}:${port}`;
  const args = [
    ...['server', 'start-dev', '--ip', HOST, '--port', String(port), '--log-level', 'warn'],
    ...(uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...(options.databaseFile === undefined ? [] : ['--db-filename', options.databaseFile]),
    ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
  ];
  const { logFile } = options;
  const server = startTethered(temporalBinary('temporal-cli'), args, { env: embeddedEnv(address), logFile });
  try {
    await untilListening(port, server, logFile);
    const connection = await Connection.connect({ address, channelArgs: { 'grpc.enable_http_proxy': 0 } });
    return {
      address,
      namespace: NAMESPACE,
      uiUrl: uiPort === null ? null : `http://${HOST}:${uiPort}`,
      client: new Client({ connection, namespace: NAMESPACE }),
      async stop() {
        await connection.close();
        await kill(server);
      },
    };
  } catch (error) {
    await kill(server);
    throw error;
  }
}

async function untilListening(port: number, server: TetheredProcess, logFile?: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await isListening(port))) {
    if (!server.isRunning() || Date.now() > deadline) {
      throw new Error(`the embedded Temporal does not start${logFile ? `; see ${logFile}` : ''}`);
    }
    await setTimeout(POLL_MS);
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, HOST);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** At once: its state is a database that survives that, and an orderly end takes a second. */
async function kill(server: TetheredProcess): Promise<void> {
  await server.end('SIGKILL');
}
