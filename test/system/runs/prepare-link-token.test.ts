import type { Client } from '@temporalio/client';
import { prepareLinkToken } from '../../../src/contract';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import type { TestAtlas } from '../../support/atlas';
import type { Installation } from '../../support/installation';
import { end } from '../../support/runs';
import { sharedTemporal, untilClosedAreListed } from '../../support/temporal';
import { system } from './shared-system';

let atlas: TestAtlas;
let installation: Installation;
let client: Client;
beforeAll(async () => {
  ({ atlas, installation } = system());
  ({ client } = await sharedTemporal());
});

const call = (request: PrepareRequest, taskQueue = installation.taskQueue) =>
  prepareLinkToken(client, request, { taskQueue });

const tokensFor = ({ accessListIps }: PrepareRequest) =>
  atlas.createdTokens().filter((token) => token.accessListIps[0] === accessListIps[0]).length;

it.concurrent('two calls at once get one token, and so does one without a worker', async () => {
  const request = installation.newRequest();
  const [first, second] = await Promise.all([call(request), call(request)]);
  const accessListIps = [...request.accessListIps, ...request.accessListIps];
  const third = await call({ ...request, accessListIps, requestedBy: 'x' }, 'nobody');
  expect([second, third]).toEqual([first, first]);
  expect(tokensFor(request)).toBe(1);
  const description = await installation.handleOf(request).describe();
  expect(await description.staticSummary()).toMatch(/^create a link-token of /);
});

it.concurrent('a call for a different request fails, open or delivered', async () => {
  const request = installation.newRequest();
  const different = { type: 'DifferentRequest', message: expect.stringContaining('sink') };
  await call(request);
  await expect(call({ ...request, sink: 'rejects' })).rejects.toMatchObject(different);
  // Now a newer run has failed, so that another one starts and finds the delivered token.
  await untilClosedAreListed(workflowIdFor(request), 1);
  await expect((await installation.start(request)).result()).rejects.toThrow();
  await expect(call({ ...request, sink: 'rejects' })).rejects.toMatchObject(different);
  const open = installation.newRequest({ sink: 'rejects' });
  await expect(call(open)).rejects.toMatchObject({ type: 'SinkRejected' });
  await expect(call({ ...open, sink: 'files' })).rejects.toMatchObject(different);
  await end(installation.handleOf(open), 'cancel');
});

it.concurrent(
  'a call that permits one more token gets it, and the same when repeated',
  async () => {
    const request = installation.newRequest();
    await call(request);
    const { runId } = await installation.handleOf(request).describe();
    const id = workflowIdFor(request);
    await untilClosedAreListed(id, 1);
    const again = { ...request, again: runId };
    const receipt = await call(again);
    const delivered = await installation.handleOf(request).describe();
    // At once, before Temporal lists the run as closed.
    for (let repetition = 1; repetition <= 10; repetition += 1) {
      expect(await call(again)).toEqual(receipt);
    }
    const newest = await installation.handleOf(request).describe();
    expect(newest.runId).toBe(delivered.runId);
    await untilClosedAreListed(id, 2);
    expect(await call(again)).toEqual(receipt);
    expect(tokensFor(request)).toBe(2);
  },
);

it.concurrent('a call that permits any number of tokens is refused', async () => {
  const request = installation.newRequest({ again: true });
  await expect(call(request)).rejects.toMatchObject({ type: 'InvalidRequest' });
  expect(tokensFor(request)).toBe(0);
});
