import { setTimeout as sleep } from 'node:timers/promises';

/** The server reports with a lag. */
const LAG_MS = 2500;

/** Counters in the server's metrics. `excluded` leaves out what no run causes. */
const COUNTERS = {
  requests: {
    included: /^service_requests\{.*service_name="frontend"\} \d+$/gm,
    excluded: /namespace="(temporal_system|_unknown_)|operation="(RecordWorker|Describe)/,
  },
  // docs.temporal.io/cloud/migrate/estimate-actions: what Temporal Cloud would bill.
  actions: {
    included: /^action\{.*service_name="frontend"\} \d+$/gm,
    excluded: /namespace="temporal_system"/,
  },
};

/**
 * Reads how many gRPC requests of workers and clients, or billable Actions, the development server
 * has counted so far.
 */
export async function readCounter(
  metricsPort: number,
  counter: keyof typeof COUNTERS,
): Promise<number> {
  const { included, excluded } = COUNTERS[counter];
  await sleep(LAG_MS);
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const lines = text.match(included)?.filter((line) => !excluded.test(line)) ?? [];
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
