import { existsSync } from 'node:fs';
import path from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { IllegalStateError, Runtime } from '@temporalio/worker';
import { END_WITH_PARENT } from './child-process';
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
}

export type DevServer = Awaited<ReturnType<typeof startDevServer>>;

const DYNAMIC_CONFIG = [
  // Each step waits for the transfer queue's next poll: 50 ms at the default 20 polls a second.
  'history.transferProcessorMaxPollRPS=10000',
  // Otherwise a timer, such as that of a retry, may fire up to a second late.
  'history.timerProcessorMaxTimeShift="10ms"',
];

/** Not the environments that the user keeps for the Temporal CLI. */
const NO_USER_SETTINGS = ['--env', 'default', '--env-file', '/dev/null'];

/** Starts Temporal's development server. It ends with this process at the latest. */
export async function startDevServer({
  ui = false,
  port,
  databaseFile,
  logFile,
  metricsPort,
}: DevServerOptions = {}) {
  const uiPort = ui ? await freePort() : undefined;
  const metrics = metricsPort === undefined ? [] : ['--metrics-port', String(metricsPort)];
  const dynamicConfig = DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]);
  installRuntime();
  const environment = await TestWorkflowEnvironment.createLocal({
    server: {
      ...server('temporal', [...dynamicConfig, ...metrics, ...NO_USER_SETTINGS], logFile),
      ui,
      ...(uiPort !== undefined && { uiPort }),
      ...(port !== undefined && { port }),
      ...(databaseFile !== undefined && { dbFilename: databaseFile }),
    },
    plugins: [NO_PROXY],
  });
  return {
    /** Host and port of the gRPC service. */
    address: environment.address,
    /** Null without the option `ui`. */
    uiUrl: uiPort === undefined ? null : `http://127.0.0.1:${uiPort}`,
    client: environment.client,
    /** Kills the server. */
    stop: () => environment.teardown(),
  };
}

/** Starts the server on which an hour of waiting takes no time. `teardown()` stops it. */
export function startTimeSkippingTemporal(): Promise<TestWorkflowEnvironment> {
  installRuntime();
  return TestWorkflowEnvironment.createTimeSkipping({
    server: server('temporal-test-server'),
    plugins: [NO_PROXY],
  });
}

/** A server that dev/setup found or installed. */
function server(name: string, args: readonly string[] = [], logFile = '/dev/null') {
  const program = path.join(__dirname, '../../.cache/bin', name);
  if (!existsSync(program)) throw new Error(`there is no ${name}: run "node dev/setup/index.mjs ${name}"`);
  return {
    executable: { type: 'existing-path', path: END_WITH_PARENT } as const,
    extraArgs: [...args, logFile, program],
  };
}

/** A proxy of the environment leads out of this machine. */
const NO_PROXY = {
  name: 'no-proxy',
  configureConnection: <T extends object>(options: T) => ({
    ...options,
    channelArgs: { 'grpc.enable_http_proxy': 0 },
  }),
};

/** Installs the runtime without the SDK's signal handlers, which would keep this process alive on Ctrl-C. */
function installRuntime(): void {
  try {
    Runtime.install({ shutdownSignals: [] });
  } catch (error) {
    // The program has installed its own.
    if (!(error instanceof IllegalStateError)) throw error;
  }
}
