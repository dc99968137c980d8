import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { DEFAULTS, startAtlasEmulator, type AtlasEmulator } from '../../dev/atlas-emulator';
import { startDemoWorker } from '../../dev/support/demo-worker';
import { embeddedEnv } from '../../dev/temporal/embedded-env';
import { workflowIdFor } from '../../src/contract/names';
import type { PrepareRequest, Status } from '../../src/contract/schemas';
import { cleanUpLater, closeLater, newFolder } from '../support/clean-up';
import { eventually } from '../support/eventually';
import { LANGUAGES, installExamples, runExample } from '../support/examples';
import { newOrgId } from '../support/ids';
import { sharedTemporal } from '../support/temporal';
import { ROOT, codeBlocks, page } from '../unit/docs/markdown';

/** Go compiles Temporal's SDK the first time. */
jest.setTimeout(900_000);

let folder: string;
let env: NodeJS.ProcessEnv;
let client: Client;
let atlas: AtlasEmulator;

/** The installation of the demo, which the examples name. */
beforeAll(async () => {
  folder = newFolder();
  const temporal = await sharedTemporal();
  atlas = closeLater(await startAtlasEmulator());
  const workerFolder = path.join(folder, 'worker');
  mkdirSync(workerFolder);
  const worker = await startDemoWorker({
    folder: workerFolder,
    temporalAddress: temporal.address,
    atlasUrl: atlas.url,
  });
  cleanUpLater(() => worker.stop());
  env = embeddedEnv(temporal.address);
  client = temporal.client;
});

for (const [name, language] of Object.entries(LANGUAGES)) {
  const missing = language.missing();
  if (missing) console.warn(`The ${name} examples are not tested: ${missing}`);

  (missing ? describe.skip : describe)(`the ${name} examples${missing ? ` (${missing})` : ''}`, () => {
    const copy = () => path.join(folder, language.folder);

    beforeAll(() => installExamples(language, copy()));

    function example(program: string, request: PrepareRequest, ...options: string[]) {
      const file = path.join(copy(), `request-${newOrgId()}.json`);
      writeFileSync(file, JSON.stringify(request));
      return runExample(language, copy(), program, [file, ...options], env);
    }

    const newRequest = (more?: Partial<PrepareRequest>): PrepareRequest => ({
      orgId: DEFAULTS.orgId,
      sourceOrgId: newOrgId(),
      accessListIps: ['192.31.196.7'],
      sink: 'drop',
      ...more,
    });

    const handleOf = ({ orgId, sourceOrgId }: PrepareRequest): WorkflowHandle =>
      client.workflow.getHandle(workflowIdFor(orgId, sourceOrgId));

    /** The exit code, and the outcome: what is before the colon. */
    async function outcome(...args: Parameters<typeof example>) {
      const { code, stdout, stderr } = await example(...args);
      return [code, stdout.split(':')[0], stderr];
    }

    it('join: two callers of one request get one token, and so does a later one', async () => {
      const request = newRequest();
      const tokens = atlas.createdTokens().length;
      const exits = await Promise.all([example('join', request), example('join', request)]);
      exits.push(await example('join', request));
      const { location } = (await handleOf(request).result()) as { location: string };
      for (const exit of exits)
        expect(exit).toEqual({ code: 0, stdout: `delivered: ${location}\n`, stderr: '' });
      expect(atlas.createdTokens()).toHaveLength(tokens + 1);
    });

    it.each([
      ['to another sink', { sink: 'rejects' }],
      ['for other addresses', { accessListIps: [] }],
    ])('no program takes a receipt that was delivered %s for its own', async (_how, other) => {
      const request = newRequest();
      const first = { code: 0, stdout: expect.stringMatching(/^delivered: file .*link-token/), stderr: '' };
      expect(await example('smallest', request)).toEqual(first);
      const tokens = atlas.createdTokens().length;
      const second = { ...request, ...other };
      expect(await outcome('join', second)).toEqual([1, 'failed (DifferentRequest)', '']);
      expect(await outcome('failures', second)).toEqual([6, 'refused (delivered)', '']);
      const { code, ...output } = await example('smallest', second);
      expect(code).not.toBe(0);
      expect(output).toEqual({ stdout: '', stderr: expect.stringMatching(/already/i) });
      expect(atlas.createdTokens()).toHaveLength(tokens);
    });

    it.each(['smallest', 'join', 'failures'])('%s: refuses an empty source organization', async (program) => {
      expect(await example(program, newRequest({ sourceOrgId: '' }))).toEqual({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('sourceOrgId is empty'),
      });
    });

    it('join: learns of a failed delivery at once, while the run goes on', async () => {
      const request = newRequest({ sink: 'rejects' });
      expect(await outcome('join', request)).toEqual([5, 'undelivered (SinkRejected)', '']);
      const status: Status = await handleOf(request).query('status');
      expect(status.step).toBe('undelivered');
    });

    it('failures: a request that is not valid, with each field', async () => {
      expect(await example('failures', newRequest({ accessListIps: ['192.31.196.300'] }))).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^failed \(InvalidRequest\): [^]*\n {2}accessListIps\[0\] .*300/),
      });
    });

    it('failures: Atlas rejects the request', async () => {
      atlas.faults({ on: 'linkTokens', errorCode: 'IP_ADDRESS_NOT_ON_ACCESS_LIST' });
      expect(await outcome('failures', newRequest())).toEqual([1, 'failed (AtlasRequestRejected)', '']);
    });

    it('failures: a second token after a delivered one, only with --again', async () => {
      const request = newRequest();
      expect(await outcome('failures', request)).toEqual([0, 'delivered', '']);
      expect(await outcome('failures', request)).toEqual([6, 'refused (delivered)', '']);
      expect(await outcome('failures', request, '--again')).toEqual([0, 'delivered', '']);
    });

    it('failures: an undelivered token, another request, and the recoverable token of a cancelled run', async () => {
      const request = newRequest({ sink: 'rejects' });
      expect(await outcome('failures', request)).toEqual([5, 'undelivered (SinkRejected)', '']);
      const other = { ...request, accessListIps: [] };
      expect(await outcome('failures', other)).toEqual([6, 'refused (DifferentRequest)', '']);

      await handleOf(request).cancel();
      await expect(handleOf(request).result()).rejects.toThrow();
      const query = `WorkflowId = '${handleOf(request).workflowId}' AND ExecutionStatus = 'Failed'`;
      await eventually('the closed run in the list', async () => {
        for await (const run of client.workflow.list({ query })) return run.memo?.['deliveryId'];
        return null;
      });
      expect(await outcome('failures', request)).toEqual([6, 'refused (TokenExists)', '']);
      expect(await outcome('failures', { ...request, sink: 'drop' }, '--again')).toEqual([
        0,
        'delivered',
        '',
      ]);
    });

    it.each([
      ['cancelled', 7, 'cancelled (Cancelled)'],
      ['terminated', 1, 'terminated'],
    ] as const)('failures: the run is %s while the caller waits', async (how, code, expected) => {
      const request = newRequest();
      atlas.faults({ on: 'linkTokens', times: 100, status: 503 });
      const ended = outcome('failures', request);
      const run = handleOf(request);
      await eventually('an attempt to create the token', async () => {
        const status = await run.query<Status>('status').catch(() => null);
        return status && status.unconfirmedTokens > 0;
      });
      await (how === 'cancelled' ? run.cancel() : run.terminate());
      atlas.clearFaults();
      expect(await ended).toEqual([code, expected, '']);
      // It ended without a token, so the next run creates one.
      expect(await outcome('failures', request)).toEqual([0, 'delivered', '']);
    });
  });
}

it('the shell command of docs/callers.md delivers once, and prints no receipt of another request', async () => {
  const [script = ''] = codeBlocks(page('docs/callers.md'), 'sh');
  const PATH = `${path.join(ROOT, '.cache/bin')}:${String(env['PATH'])}`;
  const sh = (text: string) => promisify(execFile)('bash', ['-ec', text], { env: { ...env, PATH } });
  expect((await sh(script)).stdout).toContain('.link-token');
  for (const again of [script, script.replace('"drop"', '"rejects"')]) {
    await expect(sh(again)).rejects.toThrow('already finished');
  }
});
