import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { startAtlasEmulator, type AtlasEmulator } from '../../dev/atlas-emulator';
import { startDemoWorker } from '../../dev/support/demo-worker';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import type { PrepareRequest, Status } from '../../src/contract/schemas';
import { workflowIdFor } from '../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../src/contract/workflows';
import { cleanUpLater, closeLater, newFolder } from '../support/clean-up';
import { eventually } from '../support/eventually';
import { CACHE, LANGUAGES, installExamples, isTestable } from '../support/examples';
import { newOrgId } from '../support/ids';
import { ROOT, codeBlocks, page } from '../support/markdown';
import { runToEnd } from '../support/run-command';
import { sharedTemporal, untilClosedAreListed } from '../support/temporal';

let env: NodeJS.ProcessEnv;
let client: Client;
let atlas: AtlasEmulator;

/** The installation of the demo, which the examples name. */
beforeAll(async () => {
  const temporal = await sharedTemporal();
  atlas = closeLater(await startAtlasEmulator());
  const addresses = { temporalAddress: temporal.address, atlasUrl: atlas.url };
  const worker = await startDemoWorker({ folder: newFolder(), ...addresses });
  cleanUpLater(() => worker.stop());
  env = devServerEnv(temporal.address);
  client = temporal.client;
});

const PROGRAMS = ['smallest', 'join'];
const REQUEST = JSON.parse(page('examples/request.json')) as PrepareRequest;

const newRequest = (more?: Partial<PrepareRequest>): PrepareRequest => ({
  ...REQUEST,
  sourceOrgId: newOrgId(),
  ...more,
});

const handleOf = (request: PrepareRequest): WorkflowHandle =>
  client.workflow.getHandle(workflowIdFor(request));

for (const [name, language] of Object.entries(LANGUAGES)) {
  const missing = isTestable(language) ? '' : ` (not tested, since this fails: ${language.check})`;
  if (missing) console.warn(`The ${name} examples${missing}`);

  (missing ? describe.skip : describe)(`the ${name} examples${missing}`, () => {
    const folder = newFolder();
    // At the same time for all languages, since Go compiles Temporal's SDK the first time.
    const installed = missing ? null : installExamples(language, folder);
    installed?.catch(() => undefined);
    beforeAll(() => installed);

    /** Runs a program to its end; without a request, without arguments. */
    function run(program: string, request: PrepareRequest | null, ...options: string[]) {
      const file = path.join(folder, `request-${newOrgId()}.json`);
      const args = ['-c', `${language.run} "$@"`, program];
      if (request) {
        writeFileSync(file, JSON.stringify(request));
        args.push(file);
      }
      args.push(...options);
      return runToEnd('bash', args, { ...env, CACHE, PROGRAM: program }, folder);
    }

    /** The exit code, and the outcome: what is before the colon. */
    async function outcome(...args: Parameters<typeof run>) {
      const { code, stdout, stderr } = await run(...args);
      return [code, stdout.split(':')[0], stderr];
    }

    it('join: two callers of one request get one token, and so does a later one', async () => {
      const request = newRequest();
      const tokens = atlas.createdTokens().length;
      const exits = await Promise.all([run('join', request), run('join', request)]);
      exits.push(await run('join', request));
      const { location } = (await handleOf(request).result()) as { location: string };
      const exit = { code: 0, stdout: `delivered: ${location}\n`, stderr: '' };
      expect(exits).toEqual([exit, exit, exit]);
      expect(atlas.createdTokens()).toHaveLength(tokens + 1);
    });

    it('join takes the receipt of its own request, however its access list is written', async () => {
      const accessListIps = [
        '192.31.196.7/32',
        '2001:0004:112:0::A',
        '2001:4:112:0:0:0:0:b/128',
        '2001:4:112:1:0::/64',
      ];
      const request = newRequest({
        accessListIps: [...accessListIps, '192.31.196.7', '192.31.196.128/25'],
      });
      expect(await outcome('join', request)).toEqual([0, 'delivered', '']);
      expect(await outcome('join', request)).toEqual([0, 'delivered', '']);
      for (const changed of ['192.31.196.7/31', 'not an address']) {
        const other = { ...request, accessListIps: [changed, ...accessListIps] };
        expect(await outcome('join', other)).toEqual([6, 'refused (DifferentRequest)', '']);
      }
    });

    it('no program takes the receipt of another request, and --again alone creates one more token', async () => {
      const request = newRequest();
      const delivered = {
        code: 0,
        stdout: expect.stringMatching(/^delivered: file .*link-token/),
        stderr: '',
      };
      expect(await run('smallest', request)).toEqual(delivered);
      const tokens = atlas.createdTokens().length;
      const other = { ...request, sink: 'rejects' };
      expect(await outcome('join', other)).toEqual([6, 'refused (DifferentRequest)', '']);
      const ofOtherAddresses = await outcome('join', {
        ...request,
        accessListIps: ['192.31.196.7'],
      });
      expect(ofOtherAddresses).toEqual([6, 'refused (DifferentRequest)', '']);
      const refusal = { code: 1, stdout: '', stderr: expect.stringMatching(/already/i) };
      expect(await run('smallest', other)).toEqual(refusal);
      expect(atlas.createdTokens()).toHaveLength(tokens);
      const { runId } = await handleOf(request).describe();
      expect(await outcome('join', request, '--again', runId)).toEqual([0, 'delivered', '']);
      // At once, before Temporal lists the run as closed.
      const repeated = await Promise.all(
        [1, 2, 3].map(() => outcome('join', request, '--again', runId)),
      );
      expect(repeated).toEqual(Array(3).fill([0, 'delivered', '']));
      expect(await outcome('join', request, '--again', runId)).toEqual([0, 'delivered', '']);
      expect(atlas.createdTokens()).toHaveLength(tokens + 1);
    });

    it('join takes the receipt of a run that was started with "again": true', async () => {
      const request = newRequest();
      const run = await client.workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId: workflowIdFor(request),
        taskQueue: 'live-migration-prep',
        args: [{ ...request, again: true }],
      });
      await run.result();
      expect(await outcome('join', request)).toEqual([0, 'delivered', '']);
    });

    it('every program refuses an empty source organization', async () => {
      const request = newRequest({ sourceOrgId: '' });
      const exits = await Promise.all(PROGRAMS.map((program) => run(program, request)));
      const refusal = {
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('sourceOrgId is empty'),
      };
      expect(exits).toEqual([refusal, refusal]);
    });

    it('every program says its usage without a request', async () => {
      const exits = await Promise.all(PROGRAMS.map((program) => run(program, null)));
      const usageOf = (program: string) =>
        expect.stringMatching(new RegExp(`usage: .*${program}.* request\\.json`));
      expect(exits).toEqual(
        PROGRAMS.map((program) => ({ code: 1, stdout: '', stderr: usageOf(program) })),
      );
    });

    it('join: a request that is not valid, and one that Atlas rejects', async () => {
      expect(await run('join', newRequest({ accessListIps: ['192.31.196.300'] }))).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^failed \(InvalidRequest\): .*accessListIps\[0\] .*300/),
      });
      atlas.faults({ on: 'linkTokens', errorCode: 'IP_ADDRESS_NOT_ON_ACCESS_LIST' });
      expect(await outcome('join', newRequest())).toEqual([1, 'failed (AtlasRequestRejected)', '']);
    });

    it('join tells an undelivered token and another request apart, and starts again after a cancel', async () => {
      const request = newRequest({ sink: 'rejects' });
      expect(await outcome('join', request)).toEqual([5, 'undelivered (SinkRejected)', '']);
      const other = { ...request, accessListIps: ['192.31.196.7'] };
      expect(await outcome('join', other)).toEqual([6, 'refused (DifferentRequest)', '']);

      const run = handleOf(request);
      await run.cancel();
      await expect(run.result()).rejects.toThrow();
      await untilClosedAreListed(run.workflowId, 1);
      expect(await outcome('join', { ...request, sink: 'drop' })).toEqual([0, 'delivered', '']);
    });

    it.each([
      ['cancelled', 7, 'cancelled (Cancelled)'],
      ['terminated', 1, expect.stringMatching(/^failed \(/)],
    ] as const)('join: the run is %s while the caller waits', async (how, code, expected) => {
      const request = newRequest();
      atlas.faults({ on: 'linkTokens', times: 100, status: 503 });
      const ending = outcome('join', request);
      const run = handleOf(request);
      await eventually('an attempt to create the token', async () => {
        const status = await run.query<Status>('status').catch(() => null);
        return status && status.unconfirmedTokens > 0;
      });
      await (how === 'cancelled' ? run.cancel() : run.terminate());
      atlas.clearFaults();
      expect(await ending).toEqual([code, expected, '']);
    });
  });
}

it('the shell command of docs/callers.md delivers once, and prints no receipt of another request', async () => {
  const [script = ''] = codeBlocks(page('docs/callers.md'), 'sh');
  const PATH = `${path.join(ROOT, '.cache/bin')}:${String(env['PATH'])}`;
  const sh = (text: string) =>
    promisify(execFile)('bash', ['-ec', text], { env: { ...env, PATH } });
  expect((await sh(script)).stdout).toContain('.link-token');
  for (const again of [script, script.replace('"drop"', '"rejects"')]) {
    await expect(sh(again)).rejects.toThrow('already finished');
  }
});
