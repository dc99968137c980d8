import { defaultPayloadConverter } from '@temporalio/common';
import { requireStartable } from '../../../../src/commands/runs/start-or-join';
import { aReceipt, aRequest } from '../../samples';
import { STATUS, clientOf, listedRun } from '../../temporal/scripted-server';
import { contextWith } from './context';

const payload = (value: unknown) => defaultPayloadConverter.toPayload(value);
const { deliveryId, publicApiKey } = aReceipt();

it('a start finds the token of a run that Temporal does not list yet', async () => {
  const client = clientOf({
    list: () => ({ executions: [] }),
    describe: () => ({ workflowExecutionInfo: listedRun('new', { status: STATUS.completed }) }),
  });
  await expect(requireStartable(contextWith(client), aRequest())).rejects.toMatchObject({
    exitCode: 6,
    facts: { runId: 'new', state: 'delivered' },
  });
});

it('a start beside a token that a terminated run left notes its key, and goes on', async () => {
  const fields = { deliveryId: payload(deliveryId), publicApiKey: payload(publicApiKey) };
  const client = clientOf({
    list: () => ({ executions: [] }),
    describe: () => ({ workflowExecutionInfo: listedRun('terminated', { memo: { fields } }) }),
  });
  const context = contextWith(client);
  expect(await requireStartable(context, aRequest())).toMatchObject({ open: null });
  expect(context.printed.join('')).toContain(`note: run terminated left token ${deliveryId}: `);
  expect(context.printed.join('')).toContain(String(publicApiKey));
});
