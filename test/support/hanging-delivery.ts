import { eventually } from './eventually';
import { startInstallation } from './installation';
import { startWebhookReceiver } from './webhook-receiver';

export type HangingInstallation = Awaited<ReturnType<typeof startHangingInstallation>>;

/** An installation with sinks `files`, which works, and `slow`, at which every delivery hangs. */
export async function startHangingInstallation() {
  const receiver = await startWebhookReceiver();
  const sinks = { files: { type: 'file', directory: 'tokens' }, slow: receiver.sink('hangs') };
  const installation = await startInstallation({ config: { sinks }, env: receiver.env });
  return {
    ...installation,
    /** Starts a run whose delivery hangs; `target` names that activity to Temporal's command line. */
    startHanging: async () => {
      const request = installation.deployment.newRequest({ sink: 'slow' });
      const handle = await installation.deployment.start(request);
      await eventually('the delivery', () => receiver.hanging(request) > 0);
      const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
      const target = ['--workflow-id', handle.workflowId, '--activity-id', String(pending?.activityId)];
      return { handle, target, release: () => receiver.release(request) };
    },
  };
}
