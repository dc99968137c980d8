import { FILE_SINKS, LONG_ROUNDS, startSystem } from '../../support/installation';
import { setUp } from '../../support/set-up';
import { startHangingWebhook } from '../../support/sinks';

/**
 * The system of these tests; `group.test.ts` runs them with one. Attempts at sink `hangs` get
 * no response.
 */
export const system = setUp(async () => {
  const { sink: hangs, env, responses } = await startHangingWebhook();
  const away = { type: 'file', directory: 'not-there' };
  const config = {
    ...LONG_ROUNDS,
    sinks: { ...FILE_SINKS, away, hangs },
    atlas: { requestTimeoutMs: 10_000 },
  };
  return { ...(await startSystem({ config, env })), hangingResponses: responses };
});
