import { eventually } from './eventually';
import { startSetting } from './setting';
import { startWebhookReceiver } from './webhook-receiver';

export type HangingSetting = Awaited<ReturnType<typeof startHangingSetting>>;

/** An installation with sinks `files`, which works, and `slow`, at which every delivery hangs. */
export async function startHangingSetting() {
  const receiver = await startWebhookReceiver();
  const sinks = { files: { type: 'file', directory: 'tokens' }, slow: receiver.sink('hangs') };
  const setting = await startSetting({ config: { sinks }, env: receiver.env });
  return {
    ...setting,
    /** Starts a run whose delivery hangs; `target` names that activity to Temporal's command line. */
    startHanging: async () => {
      const request = setting.deployment.newRequest({ sink: 'slow' });
      const handle = await setting.deployment.start(request);
      await eventually('the delivery', () => receiver.hanging(request) > 0);
      const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
      const target = ['--workflow-id', handle.workflowId, '--activity-id', String(pending?.activityId)];
      return { handle, target, release: () => receiver.release(request) };
    },
  };
}
