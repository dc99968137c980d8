import { newAccount } from '../../support/atlas';
import { newOrgId } from '../../support/ids';
import { deploy, type Config } from '../../support/installation';
import { serveHttp, serveRejectingGrpcProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';

/** Starts a worker that cannot start, and returns its one message, without what the SDK may have logged before it. */
async function messageOf(config: Config, env: Record<string, string> = {}): Promise<string> {
  const deployment = await deploy({ atlas: { url: 'http://127.0.0.1:9', account: newAccount() }, config });
  const worker = deployment.spawnWorker(env);
  expect(await worker.exited).toEqual({ code: 1, signal: null });
  const output = worker.output();
  expect(output).not.toContain('worker starts');
  const message = output.replace(/^\{.*\}\n/gm, '');
  expect(message).toMatch(/^live-migration-prep-worker: /);
  expect(message).not.toMatch(/\n\s+at /);
  return message;
}

describe('a worker that cannot start says why in one message, exits with 1 and has started nothing', () => {
  it.concurrent('every problem of the configuration at once', async () => {
    const message = await messageOf(
      {
        colour: 'blue',
        atlas: { requestTimeoutMs: 'soon' },
        sinks: { files: { type: 'fax' } },
        sealing: {},
        health: { port: 70_000 },
      },
      {
        MONGODB_ATLAS_BASE_URL: 'cloud.mongodb.com',
        MONGODB_ATLAS_CLIENT_ID: newOrgId(),
        MONGODB_ATLAS_CLIENT_SECRET: '',
      },
    );
    expect(message).toMatch(
      /^live-migration-prep-worker: the configuration has 7 problems:\n( {2}- .*\n){7}$/,
    );
  });

  it.concurrent('a namespace that does not exist', async () => {
    expect(await messageOf({}, { TEMPORAL_NAMESPACE: 'nowhere' })).toMatch(
      /: cannot reach Temporal at \S+, namespace nowhere, without TLS \(Namespace nowhere is not found\.\): .*TEMPORAL_NAMESPACE.*\n$/,
    );
  });

  it.concurrent('no permission to list runs', async () => {
    const { address } = await sharedTemporal();
    const PERMISSION_DENIED = 7;
    const denied = /\/ListWorkflowExecutions$/;
    const proxy = await serveRejectingGrpcProxy(address, denied, PERMISSION_DENIED);
    expect(await messageOf({}, { TEMPORAL_ADDRESS: proxy.address })).toMatch(
      /: Temporal refuses to list the runs of namespace default .*: grant the permission to list workflow executions \(ListWorkflowExecutions,/,
    );
  });

  it.concurrent('a port for metrics in use', async () => {
    const server = await serveHttp(() => undefined);
    const { port } = server;
    expect(await messageOf({ metrics: { port } })).toMatch(
      new RegExp(
        `cannot serve metrics on 127\\.0\\.0\\.1:${port} \\(.*in use.*\\): set metrics.port to a free port`,
      ),
    );
  });
});
