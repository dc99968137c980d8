import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { SinkRejectedError, SinkUnavailableError, type Delivery, type Sink } from '../../../src/sinks/sink';
import { eventually } from '../../support/eventually';
import { newDelivery, successorOf } from '../../support/sinks/delivery';
import type { Fixture } from '../../support/sinks/fixture';
import { SINK_TYPE_NAMES, startFixture } from '../../support/sinks/fixtures';
import { makeSink } from '../../support/sinks/make-sink';
import { startRecordingOutput } from '../../support/sinks/output';
import { propertyTable } from '../../support/sinks/property-table';

/** The server of a sink may have to be installed. */
const START_TIMEOUT_MS = 300_000;
const table = propertyTable(SINK_TYPE_NAMES);

afterAll(() => process.stdout.write(table.render()));

describe.each(SINK_TYPE_NAMES)('the sink %s', (type) => {
  const output = startRecordingOutput();
  const shown: unknown[] = [];
  const tokens: string[] = [];
  const sinks = new Map<string, Promise<Sink>>();
  let fixture: Fixture;
  let ended = false;

  const property = (name: string, check: () => Promise<string | undefined>) =>
    it(name, async () => {
      table.note(type, name, 'FAILED');
      table.note(type, name, (await check()) ?? 'yes');
    });

  beforeAll(async () => {
    fixture = await startFixture(type);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    ended = true;
    await fixture.stop();
  });

  async function deliver(delivery: Delivery, signal = new AbortController().signal): Promise<string> {
    tokens.push(delivery.token);
    const config = fixture.configFor(delivery);
    const key = JSON.stringify(config);
    const making = sinks.get(key) ?? makeSink(config, fixture.env);
    sinks.set(key, making);
    try {
      const location = await (await making).deliver(delivery, signal);
      shown.push(location);
      return location;
    } catch (error) {
      shown.push(error);
      throw error;
    }
  }

  const failureOf = (delivery: Delivery, signal?: AbortSignal): Promise<unknown> =>
    deliver(delivery, signal).then(
      (location) => `delivered: ${location}`,
      (error: unknown) => error,
    );

  property('delivers', async () => {
    const delivery = newDelivery();
    const location = await deliver(delivery);
    expect(await fixture.held(delivery)).toEqual([delivery.token]);
    expect(location).toMatch(fixture.locationOf(delivery));
    return undefined;
  });

  property('a check changes nothing, and fails while it is unreachable', async () => {
    const delivery = newDelivery();
    await deliver(delivery);
    const sink = await makeSink(fixture.configFor(delivery), fixture.env);
    const { signal } = new AbortController();
    if (!sink.check) return 'only a delivery can tell';
    for (const target of [null, delivery]) shown.push(await sink.check(target, signal));
    expect(await fixture.held(delivery)).toEqual([delivery.token]);
    await fixture.breakDown();
    try {
      await expect(sink.check(delivery, signal)).rejects.toBeInstanceOf(SinkUnavailableError);
    } finally {
      await fixture.recover();
    }
    return undefined;
  });

  property('again with the same id changes nothing', async () => {
    const delivery = newDelivery();
    const first = await deliver(delivery);
    expect(await deliver(delivery)).toBe(first);
    expect(await fixture.held(delivery)).toEqual([delivery.token]);
    return undefined;
  });

  property('the response lost, a retry changes nothing', async () => {
    if (!fixture.loseResponse) return 'has no connection';
    const delivery = newDelivery();
    fixture.loseResponse();
    const failure = await failureOf(delivery);
    expect(failure).toBeInstanceOf(SinkUnavailableError);
    expect(await fixture.held(delivery)).toEqual([delivery.token]);
    await deliver(delivery);
    expect(await fixture.held(delivery)).toEqual([delivery.token]);
    return undefined;
  });

  property('given a new token, the former', async () => {
    const former = newDelivery();
    const next = successorOf(former);
    await deliver(former);
    await deliver(next);
    const both = fixture.formerToken !== 'is replaced';
    const held = await fixture.held(next);
    expect(held.sort()).toEqual([...(both ? [former.token] : []), next.token].sort());
    return fixture.formerToken;
  });

  property('unreachable is SinkUnavailable, later it delivers', async () => {
    const delivery = newDelivery();
    await fixture.breakDown();
    try {
      expect(await failureOf(delivery)).toBeInstanceOf(SinkUnavailableError);
    } finally {
      await fixture.recover();
    }
    await deliver(delivery);
    expect(await fixture.held(delivery)).toEqual([delivery.token]);
    return undefined;
  });

  property('refused is SinkRejected with a reason', async () => {
    const delivery = newDelivery();
    fixture.configFor(delivery);
    await fixture.refuse(delivery);
    const failure = await failureOf(delivery);
    expect(failure).toBeInstanceOf(SinkRejectedError);
    expect((failure as Error).message).toMatch(/\w+ \w+ \w+/);
    expect(await fixture.held(delivery)).not.toContain(delivery.token);
    return undefined;
  });

  property('cancelled it stops', async () => {
    const delivery = newDelivery();
    const cancelled = new Error('the run was cancelled');
    if (!fixture.hang) {
      expect(await failureOf(delivery, AbortSignal.abort(cancelled))).toBe(cancelled);
      return 'before it starts';
    }
    fixture.hang();
    const controller = new AbortController();
    const failing = failureOf(delivery, controller.signal);
    await sleep(200);
    controller.abort(cancelled);
    // A timeout of the sink would come much later, and with another error.
    expect(await failing).toBe(cancelled);
    await fixture.recover();
    return 'without a response';
  });

  property('100 deliveries, broken in the middle', async () => {
    const deliveries = Array.from({ length: 100 }, () => newDelivery());
    deliveries.forEach((delivery) => fixture.configFor(delivery));
    let delivered = 0;
    let retries = 0;
    let broken: Promise<void> | undefined;
    const breakAndRecover = async () => {
      await fixture.breakDown();
      await eventually('a failed delivery', () => retries > 0);
      await fixture.recover();
    };
    const queue = [...deliveries];
    const deliverAll = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        for (;;) {
          const failure = await failureOf(next);
          if (!(failure instanceof Error)) break;
          expect(`${failure.name}: ${failure.message}`).toMatch(/^SinkUnavailableError: /);
          retries += 1;
          await sleep(20);
          // When one of the ten fails, the others would try for ever, and jest would not exit.
          if (ended) return;
        }
        delivered += 1;
        if (delivered === 50) broken = breakAndRecover();
      }
    };
    await Promise.all(Array.from({ length: 10 }, deliverAll));
    await broken;
    const held = await Promise.all(deliveries.map((delivery) => fixture.held(delivery)));
    expect(held).toEqual(deliveries.map(({ token }) => [token]));
    return `100 delivered once, ${retries} retries`;
  });

  property('no secret is shown', () => {
    const texts = [output.text(), ...shown.map(everythingIn)];
    const canaries = [...tokens, ...fixture.canaries];
    const leaks = texts.flatMap((text) => canaries.filter((canary) => text.includes(canary)));
    expect(leaks).toEqual([]);
    output.stop();
    return Promise.resolve(`0 hits in ${texts.length} places`);
  });
});

it('finds a planted leak', () => {
  const leaking = new Error('failed', { cause: { headers: ['canary'] } });
  Object.defineProperty(leaking, 'hidden', { value: 'hidden-canary', enumerable: false });
  expect(everythingIn(leaking)).toMatch(/'canary'[^]*hidden-canary|hidden-canary[^]*'canary'/);
});

/** Includes parts that console.log would not show: hidden properties and causes. */
function everythingIn(value: unknown): string {
  const text = inspect(value, { showHidden: true, depth: Infinity, maxStringLength: Infinity });
  return value instanceof Error ? `${text} ${value.message} ${value.stack ?? ''}` : text;
}
