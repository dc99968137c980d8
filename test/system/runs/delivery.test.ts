import { mkdirSync, readFileSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeKey } from '../../../src/sealing';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import { FILE_SINKS, type Deployment, type Handle } from '../../support/deployment';
import { endingOf, untilDeliveryFails } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { deploy, startInstallation } from '../../support/installation';
import { redeliver, statusOf, untilStep } from '../../support/updates';

let atlas: TestAtlas;
let shared: Deployment;

beforeAll(async () => {
  const sinks = { ...FILE_SINKS, missing: { type: 'file', directory: 'missing' } };
  // A round outlasts the test, so that no run is undelivered in between.
  const retries = { deliver: { initialIntervalMs: 20, maximumIntervalMs: 100 } };
  ({ atlas, deployment: shared } = await startInstallation({ config: { sinks, retries } }));
});

/** The token that Atlas created for a request with an address of its own. */
function tokenOf({ accessListIps: [address = ''] }: { accessListIps: string[] }): string | undefined {
  const created = atlas.createdTokens().filter(({ accessListIps }) => accessListIps.includes(address));
  expect(created).toHaveLength(1);
  return created[0]?.linkToken;
}

const newRequest = (deployment: Deployment, more = {}) =>
  deployment.newRequest({ accessListIps: [newAddress()], ...more });

async function untilUnreadable(handle: Handle): Promise<string> {
  const { description } = await eventually('a token that cannot be opened', async () => {
    const status = await statusOf(handle);
    return status.step === 'undelivered' && status.description.includes('SealedTokenUnreadable') && status;
  });
  return description;
}

function keysIn(file: string): { kid: string }[] {
  return (JSON.parse(readFileSync(file, 'utf8')) as { keys: { kid: string }[] }).keys;
}

describe('a token is delivered', () => {
  atOnce({
    async 'to the file sink: mode 0600, the token that Atlas created'() {
      const request = newRequest(shared);
      const handle = await shared.start(request);
      const { receipt } = await endingOf(handle);
      const file = /^file (.*) on the worker's host$/.exec(receipt?.location ?? '')?.[1] ?? '';
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(readFileSync(file, 'utf8')).toBe(tokenOf(request));
      expect(receipt).toMatchObject({ ...request, sink: 'files', unconfirmedTokens: 0, alsoTried: [] });
    },

    async 'when its sink is unavailable at first'() {
      const request = newRequest(shared, { sink: 'missing' });
      const handle = await shared.start(request);
      expect(await untilDeliveryFails(handle)).toContain('ENOENT');
      const directory = path.join(shared.folder, 'missing');
      mkdirSync(directory);
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
      const [file = ''] = readdirSync(directory);
      expect(readFileSync(path.join(directory, file), 'utf8')).toBe(tokenOf(request));
    },

    async 'after its worker was killed and its key replaced: once the key is back, without a restart; until then SealedTokenUnreadable names it'() {
      const deployment = await deploy({ atlas });
      rmdirSync(deployment.tokensFolder);
      const worker = await deployment.startWorker();
      const request = newRequest(deployment);
      const handle = await deployment.start(request);
      await untilStep(handle, 'undelivered');
      await worker.kill();
      mkdirSync(deployment.tokensFolder);

      const [former] = keysIn(deployment.keysFile);
      const replacement = makeKey(new Date());
      writeFileSync(deployment.keysFile, JSON.stringify({ keys: [replacement] }));
      await deployment.startWorker();
      expect(await redeliver(handle)).toMatchObject({ type: 'SealedTokenUnreadable' });
      expect(await untilUnreadable(handle)).toContain(`sealed with key "${former?.kid}", which this worker`);

      writeFileSync(deployment.keysFile, JSON.stringify({ keys: [replacement, former] }));
      expect(await redeliver(handle)).toMatchObject({ type: 'delivered' });
      expect(deployment.tokens()).toEqual([tokenOf(request)]);
    },
  });

  it('by a clean run, which costs 19 events, no heartbeat and no memo', async () => {
    // Long enough to be described, and shorter than the time to the first heartbeat.
    atlas.faults({ on: 'linkTokens', delayMs: 1000 });
    const posts = atlas.posts().length;
    const handle = await shared.start();
    await eventually('a POST', () => atlas.posts().length > posts);
    const { raw } = await handle.describe();
    expect(raw.pendingActivities).toMatchObject([{ activityType: { name: 'createLinkToken' } }]);
    expect(raw.pendingActivities?.[0]?.lastHeartbeatTime ?? null).toBeNull();
    expect(raw.pendingActivities?.[0]?.heartbeatDetails ?? null).toBeNull();

    expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
    const { historyLength, memo } = await handle.describe();
    expect({ historyLength, memo }).toEqual({ historyLength: 19, memo: {} });
  });
});
