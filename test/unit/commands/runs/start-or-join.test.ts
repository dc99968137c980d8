import { defaultPayloadConverter } from '@temporalio/common';
import { requireStartable } from '../../../../src/commands/runs/start-or-join';
import { aReceipt, aRequest } from '../../samples';
import { clientOf, listedRun } from '../../temporal/scripted-server';
import { contextWith } from './context';

const payload = (value: unknown) => defaultPayloadConverter.toPayload(value);

it('a start finds the token of a run that Temporal does not list yet', async () => {
  const activityType = { name: 'deliverLinkToken' };
  const result = { payloads: [payload(aReceipt())] };
  const events = [
    { eventId: 5, activityTaskScheduledEventAttributes: { activityType } },
    { activityTaskCompletedEventAttributes: { scheduledEventId: 5, result } },
  ];
  const client = clientOf({
    list: () => ({ executions: [] }),
    describe: () => ({ workflowExecutionInfo: listedRun('terminated') }),
    readHistory: () => ({ history: { events } }),
  });
  await expect(requireStartable(contextWith(client), aRequest())).rejects.toMatchObject({
    exitCode: 6,
    facts: { runId: 'terminated', state: 'delivered' },
  });
});
