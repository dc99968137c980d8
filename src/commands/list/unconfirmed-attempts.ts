import { pMapIterable } from 'p-map';
import { ORGANIZATION_ID, workflowIdFor } from '../../contract/names';
import { readRun } from '../../temporal/run-history';
import type { UnconfirmedAttempt } from '../../temporal/run-record';
import { listRuns } from '../../temporal/visibility';
import type { CommandContext } from '../cli/context';

/** Allows for a difference between the clocks of Temporal and Atlas. */
const CLOCK_TOLERANCE_MS = 10_000;

/** A span of time, and the first eight digits of the ids of API keys that were made in it. */
type Span = Record<'from' | 'to' | 'keyIdFrom' | 'keyIdTo', string>;

type ReceivedToken = Record<'deliveryId' | 'requestedAt' | 'createdAt', string>;

/** Prints, for each organization, the times at which Atlas may have created API keys that nobody uses. */
export async function printWindows(
  context: CommandContext,
  listed: readonly { run: { workflowId: string; unconfirmed?: UnconfirmedAttempt[] } }[],
): Promise<void> {
  const attempts = new Map<string, UnconfirmedAttempt[]>();
  for (const { run } of listed) {
    const { workflowId, unconfirmed = [] } = run;
    const [, orgId = ''] = workflowId.split('/');
    if (ORGANIZATION_ID.test(orgId) && unconfirmed.length > 0) {
      attempts.set(orgId, unconfirmed.concat(attempts.get(orgId) ?? []));
    }
  }
  for (const [orgId, ofOrganization] of attempts) {
    const [first = ''] = ofOrganization.map(({ startedAt }) => startedAt).sort();
    const since = new Date(Date.parse(first) - 2 * CLOCK_TOLERANCE_MS).toISOString();
    const tokens = await readReceivedTokens(context, orgId, since);
    const { windows, received } = findWindows(ofOrganization, tokens);
    context.output.print({ orgId, windows, received }, [
      `organization ${orgId}: Atlas may have created API keys that nobody uses: find and delete them`,
      ...windows.flatMap((window) => [
        `  from ${window.from} to ${window.to}, ${describeIds(window)}; events:`,
        `    atlas api events listOrgEvents --orgId ${orgId} --minDate ${window.from} --maxDate ${window.to}`,
      ]),
      ...received.map((token) => `  keep one key ${describeIds(token)}: token ${token.deliveryId} uses it`),
    ]);
  }
}

/** Reads the tokens that runs of an organization received, if the runs were open at this time or later. */
async function readReceivedTokens({ client, taskQueue }: CommandContext, orgId: string, since: string) {
  const ofOrganization = `WorkflowId STARTS_WITH '${workflowIdFor(orgId)}'`;
  const infos = listRuns(client, taskQueue, ofOrganization, `(CloseTime IS NULL OR CloseTime >= '${since}')`);
  // Each history may have 50 MB.
  const runs = pMapIterable(infos, (info) => readRun(client, info), { concurrency: 2 });
  const tokens = new Map<string, ReceivedToken>();
  for await (const { token, tokenRequestedAt } of runs) {
    if (!token) continue;
    const { deliveryId, createdAt } = token;
    // The newest run comes first, so the run that created a token takes the place of one that recovered it.
    tokens.set(deliveryId, { deliveryId, createdAt, requestedAt: tokenRequestedAt ?? createdAt });
  }
  return [...tokens.values()];
}

/** Merges the spans of the attempts that overlap, and finds the tokens that may have been created in one of them. */
export function findWindows(attempts: readonly UnconfirmedAttempt[], tokens: readonly ReceivedToken[]) {
  const spans = attempts.map(({ startedAt, endedAt }) => toSpan(startedAt, endedAt));
  const windows: Span[] = [];
  // The texts have the order of the times.
  for (const span of spans.sort((a, b) => (a.from < b.from ? -1 : 1))) {
    const last = windows.at(-1);
    if (!last || last.to < span.from) windows.push(span);
    else if (last.to < span.to) Object.assign(last, { to: span.to, keyIdTo: span.keyIdTo });
  }
  const received = tokens
    .map(({ deliveryId, requestedAt, createdAt }) => ({ deliveryId, ...toSpan(requestedAt, createdAt) }))
    .filter((token) => windows.some(({ from, to }) => from <= token.to && token.from <= to));
  return { windows, received };
}

function toSpan(startedAt: string, endedAt: string): Span {
  const fromMs = Date.parse(startedAt) - CLOCK_TOLERANCE_MS;
  const toMs = Date.parse(endedAt) + CLOCK_TOLERANCE_MS;
  const [from = '', to = ''] = [fromMs, toMs].map((ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`);
  return { from, to, keyIdFrom: toIdPrefix(fromMs), keyIdTo: toIdPrefix(toMs) };
}

/** Converts a time to the first eight digits of an ObjectId, which are the seconds since 1970. */
const toIdPrefix = (timeMs: number) => Math.floor(timeMs / 1000).toString(16);

const describeIds = ({ keyIdFrom, keyIdTo }: Span) => `with an id from ${keyIdFrom}… to ${keyIdTo}…`;
