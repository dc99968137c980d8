import { inspect } from 'node:util';
import { SinkRejectedError, SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { LONG_ROUNDS, startSystem } from '../../support/installation';
import { endingOf, untilDeliveryFails } from '../../support/runs';
import { findSecrets, textPlace, type Place } from '../../support/secrecy';
import { makeSink, newDelivery, successorOf, type Env } from '../../support/sinks';
import type { TcpProxy } from '../../support/tcp-proxy';

/** The real server or folder behind a sink, gone after the last test. */
export interface Fixture {
  /** True if the former token stays when the same organizations get a new one, as the docs say. */
  keepsFormer: boolean;
  /** Returns a configuration that serves this delivery, as under `sinks`. */
  configFor(delivery: Delivery): object;
  /** Holds what configurations refer to, and what else a worker needs. */
  env: Env;
  /** Every secret that must not be shown, beside the tokens. */
  canaries: readonly string[];
  /** Returns the result of a successful delivery. */
  locationOf(delivery: Delivery): string;
  /**
   * Returns every token that is held for the organizations of this delivery, even after `refuse`.
   */
  held(delivery: Delivery): Promise<string[]> | string[];
  /** Makes this delivery fail permanently. */
  refuse(delivery: Delivery): unknown;
  /** Leads to the server, and can be cut. For a folder, only these two functions exist. */
  proxy: { cut(): unknown; restore(): unknown } & Partial<TcpProxy>;
  /** Matches a request that writes. */
  write?: RegExp;
}

/** Starts the fixture of each sink of this file, or of all files of its group, once. */
const fixtures = new Map<string, () => Promise<Fixture>>();

/** Sinks of which a run is tested. */
const sinksOfRuns: string[] = [];

/**
 * Tests what every sink promises. Returns its server, which other tests of the file may use, too.
 */
export function testContract<F extends Fixture>(type: string, start: () => Promise<F>): () => F {
  const places: Place[] = [];
  const secrets = new Map<string, string>();
  const sinks = new Map<string, ReturnType<typeof makeSink>>();
  let starting: Promise<F> | undefined;
  let fixture: F;

  function startOnce(): Promise<F> {
    starting ??= start();
    return starting;
  }
  fixtures.set(type, startOnce);

  beforeAll(async () => {
    fixture = await startOnce();
    for (const canary of fixture.canaries) secrets.set(`secret ${secrets.size}`, canary);
  });

  /** Creates one sink for all deliveries whose configurations are equal. */
  function sinkFor(delivery: Delivery) {
    const config = fixture.configFor(delivery);
    const key = JSON.stringify(config);
    const sink = sinks.get(key) ?? makeSink(config, fixture.env);
    sinks.set(key, sink);
    return sink;
  }

  /**
   * Remembers a result or an error, with hidden properties and causes, to search it for secrets.
   */
  function look<T>(result: T): T {
    const text = inspect(result, { showHidden: true, depth: Infinity, maxStringLength: Infinity });
    places.push(textPlace(text.slice(0, 80), text));
    return result;
  }

  /** Returns the location, or what was thrown. */
  async function deliver(delivery: Delivery, signal?: AbortSignal): Promise<unknown> {
    secrets.set(`token ${secrets.size}`, delivery.linkToken);
    const sink = await sinkFor(delivery);
    return look(await sink.deliver(delivery, signal).catch((error: unknown) => error));
  }

  describe('the contract of every sink:', () => {
    afterEach(() => expect(findSecrets(places, secrets)).toEqual([]));

    it('a token is delivered, and a second delivery of it changes nothing', async () => {
      const delivery = newDelivery();
      const location = fixture.locationOf(delivery);
      expect(await deliver(delivery)).toBe(location);
      expect(await deliver(delivery)).toBe(location);
      expect(await fixture.held(delivery)).toEqual([delivery.linkToken]);
      expect(findSecrets(places, new Map([['what is shown', location]]))).toHaveLength(2);
    });

    it('two workers that deliver the same token at once leave one', async () => {
      const delivery = newDelivery();
      secrets.set(`token ${secrets.size}`, delivery.linkToken);
      const config = fixture.configFor(delivery);
      const workers = await Promise.all([1, 2].map(() => makeSink(config, fixture.env)));
      // The place may refuse one of them for now: the retry finds the token.
      const outcomes = await Promise.allSettled(workers.map((sink) => sink.deliver(delivery)));
      expect(outcomes.map(({ status }) => look(status))).toContain('fulfilled');
      expect(await deliver(delivery)).toBe(fixture.locationOf(delivery));
      expect(await fixture.held(delivery)).toEqual([delivery.linkToken]);
    });

    it('a check changes nothing', async () => {
      const delivery = newDelivery();
      expect(await deliver(delivery)).toBe(fixture.locationOf(delivery));
      const sink = await sinkFor(delivery);
      const { sourceOrgId } = delivery;
      for (const target of [{ sourceOrgId }, delivery]) look(await sink.check(target));
      expect(await fixture.held(delivery)).toEqual([delivery.linkToken]);
    });

    it('a retry after a lost response changes nothing', async () => {
      const delivery = newDelivery();
      const { proxy, write } = fixture;
      if (write) proxy.loseResponseTo?.(write);
      const result = await deliver(delivery);
      if (write) expect(result).toBeInstanceOf(SinkUnavailableError);
      expect(await fixture.held(delivery)).toEqual([delivery.linkToken]);
      await deliver(delivery);
      expect(await fixture.held(delivery)).toEqual([delivery.linkToken]);
    });

    it('a new token of the same organizations stays beside the former, or replaces it', async () => {
      const former = newDelivery();
      const next = successorOf(former);
      await deliver(former);
      await deliver(next);
      const formerTokens = fixture.keepsFormer ? [former.linkToken] : [];
      expect((await fixture.held(next)).sort()).toEqual([...formerTokens, next.linkToken].sort());
    });

    it('a refusal is SinkRejected, with a reason', async () => {
      const delivery = newDelivery();
      fixture.configFor(delivery);
      await fixture.refuse(delivery);
      const failure = await deliver(delivery);
      expect(failure).toBeInstanceOf(SinkRejectedError);
      expect((failure as Error).message).toMatch(/\w+ \w+ \w+/);
      expect(await fixture.held(delivery)).not.toContain(delivery.linkToken);
    });

    it('a cancelled delivery stops', async () => {
      const reason = new Error('the run was cancelled');
      const controller = new AbortController();
      const { proxy } = fixture;
      const { requests } = proxy;
      const before = requests?.length;
      if (requests) proxy.silence?.();
      else controller.abort(reason);
      const delivering = deliver(newDelivery(), controller.signal);
      if (requests) await eventually('a request', () => requests.length !== before);
      controller.abort(reason);
      const result = await delivering;
      if (requests) proxy.restore();
      // A sink that gave up by itself would fail with another error.
      expect(result).toBe(reason);
    });

    it('each of many tokens is delivered once, despite an outage of the sink', async () => {
      const deliveries = Array.from({ length: 24 }, () => newDelivery());
      const [early, late] = [deliveries.slice(0, 12), deliveries.slice(12)];
      const failures = new Map<Delivery, Error>();
      const deliverAtLast = (delivery: Delivery) =>
        eventually('a delivery', async () => {
          const result = await deliver(delivery);
          if (!(result instanceof Error)) return true;
          failures.set(delivery, result);
          return false;
        });
      // The sink becomes unreachable when some are delivered and others are under way.
      const first = early.map(deliverAtLast);
      await Promise.race(first);
      await fixture.proxy.cut();
      const second = late.map(deliverAtLast);
      await eventually('failures', () => late.every((delivery) => failures.has(delivery)));
      const [one] = late as [Delivery];
      const sink = await sinkFor(one);
      const check = await sink.check(one).catch((error: unknown) => error);
      await fixture.proxy.restore();
      // Whatever is wrong, nothing goes on after the test.
      await Promise.all([...first, ...second]);
      for (const failure of [...failures.values(), check]) {
        expect(failure).toBeInstanceOf(SinkUnavailableError);
      }
      const held = await Promise.all(deliveries.map(async (delivery) => fixture.held(delivery)));
      expect(held).toEqual(deliveries.map(({ linkToken }) => [linkToken]));
    });
  });
  return () => fixture;
}

/** A sink of which a run is tested, and the organizations of that run. */
interface SinkOfRun {
  fixture: Fixture;
  organizations: Delivery;
}

/** Starts one worker with all sinks of which a run is tested. */
async function startWorkerOfRuns() {
  const atlas = await startAtlas();
  const { orgId } = atlas.account;
  const ofRuns = new Map<string, SinkOfRun>();
  const sinks: Record<string, object> = {};
  const env: Env = {};
  for (const type of sinksOfRuns) {
    const fixture = (await fixtures.get(type)?.()) as Fixture;
    const organizations = newDelivery({ orgId });
    ofRuns.set(type, { fixture, organizations });
    sinks[type] = fixture.configFor(organizations);
    Object.assign(env, fixture.env);
  }
  const system = await startSystem({
    atlas,
    config: { ...LONG_ROUNDS, sinks, log: { level: 'trace' } },
    env,
  });
  return { ...system, ofRuns };
}

let startingWorker: ReturnType<typeof startWorkerOfRuns> | undefined;

/**
 * Tests a run with this sink. `test/system/secrecy` does so with files and webhooks.
 */
export function testRun(type: string): void {
  sinksOfRuns.push(type);

  it('a run delivers once the sink is reachable; log and history show no secret', async () => {
    startingWorker ??= startWorkerOfRuns();
    const { atlas, installation, worker, ofRuns } = await startingWorker;
    const { fixture, organizations } = ofRuns.get(type) as SinkOfRun;
    const { orgId, sourceOrgId } = organizations;
    await fixture.proxy.cut();
    const request = installation.newRequest({ orgId, sourceOrgId, sink: type });
    const handle = await installation.start(request);
    await untilDeliveryFails(handle);
    await fixture.proxy.restore();
    const { receipt } = await endingOf(handle);
    const linkToken = atlas.linkTokenOf(request);
    expect(receipt?.location).toBe(fixture.locationOf({ ...organizations, ...receipt }));
    expect(await fixture.held(organizations)).toEqual([linkToken]);

    await eventually('the end of the log', () =>
      worker
        .logged('link-token delivered')
        .some(({ workflowId }) => workflowId === handle.workflowId),
    );
    const secrets = new Map(
      [linkToken, ...fixture.canaries].map((secret, index) => [`secret ${index}`, secret]),
    );
    const places = [
      textPlace('the log', worker.output()),
      textPlace('the history', JSON.stringify(await handle.fetchHistory())),
    ];
    expect(findSecrets(places, secrets)).toEqual([]);
  });
}
