import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { IllegalStateError, Runtime } from '@temporalio/worker';
import { END_WITH_PARENT, startChildProcess } from './child-process';
import { freePort } from './free-port';

interface DevServerOptions {
  /** Serves Temporal's UI too. */
  ui?: boolean;
  /** A free port unless given. */
  port?: number;
  /** Keeps the state in this SQLite file; without one, the state is lost when the server stops. */
  databaseFile?: string;
  logFile?: string;
  /** Serves the server's metrics for Prometheus. */
  metricsPort?: number;
  /** Limits and the like, by the names of Temporal's dynamic configuration. */
  dynamicConfig?: Record<string, number>;
  /** Types of search attributes, such as `Keyword`, by their names. */
  searchAttributes?: Record<string, string>;
}

export type DevServer = Awaited<ReturnType<typeof startDevServer>>;

const OPTIONS = [
  // Not the environments that the user keeps for the Temporal CLI.
  '--env=default',
  '--env-file=/dev/null',
  '--ip=127.0.0.1',
  '--log-format=pretty',
  '--log-level=warn',
  '--dynamic-config-value=frontend.enableServerVersionCheck=false',
  // Each step waits for the transfer queue's next poll: 50 ms at the default 20 polls a second.
  '--dynamic-config-value=history.transferProcessorMaxPollRPS=10000',
  // Otherwise a timer, such as that of a retry, may fire up to a second late.
  '--dynamic-config-value=history.timerProcessorMaxTimeShift="10ms"',
];

/** Starts Temporal's development server. It ends with this process at the latest. */
export async function startDevServer(options: DevServerOptions = {}) {
  const { ui = false, databaseFile, logFile = '/dev/null', metricsPort, dynamicConfig } = options;
  const port = options.port ?? (await freePort());
  const args = ['server', 'start-dev', `--port=${port}`, ...OPTIONS];
  let uiUrl: string | null = null;
  if (ui) {
    const uiPort = await freePort();
    args.push(`--ui-port=${uiPort}`);
    uiUrl = `http://127.0.0.1:${uiPort}`;
  } else {
    args.push('--headless');
  }
  if (databaseFile !== undefined) args.push(`--db-filename=${databaseFile}`);
  if (metricsPort !== undefined) args.push(`--metrics-port=${metricsPort}`);
  for (const [name, value] of Object.entries(dynamicConfig ?? {})) {
    args.push(`--dynamic-config-value=${name}=${value}`);
  }
  for (const [name, type] of Object.entries(options.searchAttributes ?? {})) {
    args.push(`--search-attribute=${name}=${type}`);
  }
  const server = startChildProcess(findProgram('temporal'), args, { env: process.env, logFile });
  const address = `127.0.0.1:${port}`;
  const connection = await connect(address, server);
  return {
    pid: server.pid,
    /** Host and port of the gRPC service. */
    address,
    /** Null without the option `ui`. */
    uiUrl,
    client: new Client({ connection }),
    /** Kills the server. */
    async stop() {
      await connection.close();
      await server.end('SIGKILL');
    },
  };
}

/** Waits for as long as the server takes: the SDK's own `createLocal` gives up after 5 s. */
async function connect(
  address: string,
  server: ReturnType<typeof startChildProcess>,
): Promise<Connection> {
  const connection = Connection.lazy({ address, channelArgs: NO_PROXY });
  for (;;) {
    try {
      await connection.withDeadline(Date.now() + 1000, () =>
        connection.workflowService.describeNamespace({ namespace: 'default' }),
      );
      return connection;
    } catch (error) {
      if (server.hasEnded()) {
        throw new Error(`the Temporal server ended: ${server.output()}`, { cause: error });
      }
      await sleep(50);
    }
  }
}

/** Starts the server on which an hour of waiting takes no time. `teardown()` stops it. */
export async function startTimeSkippingTemporal(): Promise<TestWorkflowEnvironment> {
  installRuntime();
  const executable = { type: 'existing-path', path: END_WITH_PARENT } as const;
  const extraArgs = ['/dev/null', findProgram('temporal-test-server')];
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping({
        server: { executable, extraArgs },
        plugins: [
          {
            name: 'no-proxy',
            configureConnection: (options) => ({ ...options, channelArgs: NO_PROXY }),
          },
        ],
      });
    } catch (error) {
      // The SDK gives a server 5 s to start.
      if (attempt === 20 || !String(error).includes('did not start within')) throw error;
    }
  }
}

/** Finds a server that dev/setup found or installed. */
function findProgram(name: string): string {
  const program = path.join(__dirname, '../../.cache/bin', name);
  if (!existsSync(program)) {
    throw new Error(`there is no ${name}: run "node dev/setup/index.mjs ${name}"`);
  }
  return program;
}

/** A proxy of the environment leads out of this machine. */
const NO_PROXY = { 'grpc.enable_http_proxy': 0 };

/**
 * Installs the runtime without the SDK's signal handlers, which would keep this process alive on
 * Ctrl-C.
 */
function installRuntime(): void {
  try {
    Runtime.install({ shutdownSignals: [] });
  } catch (error) {
    // The program has installed its own.
    if (!(error instanceof IllegalStateError)) throw error;
  }
}
