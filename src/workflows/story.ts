import { defineQuery, log, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { STATUS_QUERY, type Status } from '../contract/names';

/** Keeps the `status` query and the current details of the Temporal UI in step, so that both tell the same story. */
export function tellStory() {
  let status: Status = { step: 'validating', description: 'checking the request', unconfirmedTokens: 0 };
  setHandler(defineQuery<Status>(STATUS_QUERY), () => status);
  const tell = (next: Status) => {
    status = next;
    setCurrentDetails(`**${next.step}**: ${next.description}`);
  };
  tell(status);
  return tell;
}

/** One stable line for each of created, delivered, failed; logged once, not again on replay. */
export const logLine = {
  created: (facts: Record<string, unknown>) => log.info('link-token created', facts),
  delivered: (facts: Record<string, unknown>) => log.info('link-token delivered', facts),
  failed: (facts: Record<string, unknown>) => log.error('link-token job failed', facts),
};
