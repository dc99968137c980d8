import { newAccount } from '../../support/atlas';
import { install, type Config } from '../../support/installation';
import { serveHttp, serveRejectingGrpcProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';

/** Status code of gRPC. */
const PERMISSION_DENIED = 7;

/** Five problems; a wrong base URL is the sixth. */
const WRONG: Config = {
  colour: 'blue',
  atlas: { requestTimeoutMs: 'soon' },
  sinks: { files: { type: 'fax' } },
  sealing: {},
  health: { port: 70_000 },
};

it.concurrent.each<
  [what: string, arrange: () => Promise<[Config, Record<string, string>?]>, message: RegExp]
>([
  [
    'every problem of the configuration at once',
    () => Promise.resolve([WRONG, { MONGODB_ATLAS_BASE_URL: 'cloud.mongodb.com' }]),
    /^live-migration-prep-worker: the configuration has 6 problems:\n( {2}- .*\n){6}$/,
  ],
  [
    'a namespace that does not exist',
    () => Promise.resolve([{}, { TEMPORAL_NAMESPACE: 'nowhere' }]),
    /: no access to Temporal at \S+, namespace nowhere, without TLS \(.* not found\.\): .*TEMPORAL_NAMESPACE/,
  ],
  [
    'no permission to list runs',
    async () => {
      const { address } = await sharedTemporal();
      const lists = /\/ListWorkflowExecutions$/;
      const proxy = await serveRejectingGrpcProxy(address, lists, PERMISSION_DENIED);
      return [{}, { TEMPORAL_ADDRESS: `127.0.0.1:${proxy.port}` }];
    },
    /: Temporal refuses to list the runs of namespace default .*: grant the permission to list and read workflow runs/,
  ],
  [
    'a port for metrics in use',
    async () => {
      const server = await serveHttp(() => undefined);
      return [{ metrics: { port: server.port } }];
    },
    /cannot serve metrics on 127\.0\.0\.1:\d+ \(.*in use.*\): set metrics.port to a free port/,
  ],
])(
  'a worker that cannot start exits with 1 and one message: %s',
  async (_what, arrange, message) => {
    const [config, env] = await arrange();
    const installation = await install({
      atlas: { url: 'http://127.0.0.1:9', account: newAccount() },
      config,
    });
    const worker = installation.spawnWorker(env);
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    const output = worker.output();
    expect(output).not.toContain('worker starts');
    // The SDK may have logged something before it.
    const said = output.replace(/^\{.*\}\n/gm, '');
    expect(said).toMatch(/^live-migration-prep-worker: /);
    expect(said).not.toMatch(/\n\s+at /);
    expect(said).toMatch(message);
  },
);
