import { inspect } from 'node:util';
import { SinkRejectedError, SinkUnavailableError, type Delivery, type Sink } from '../../../src/sinks/sink';
import { eventually } from '../../support/eventually';
import { newDelivery, successorOf } from '../../support/sinks/delivery';
import type { Fixture } from '../../support/sinks/fixture';
import { makeSink } from '../../support/sinks/make-sink';

/** The server of a sink may have to be installed. */
const START_TIMEOUT_MS = 300_000;
/** Sinks give up by themselves after 30 s. */
const CANCELLATION_TIMEOUT_MS = 20_000;

/** Tests what every sink promises. Returns its server, which other tests of the file may use, too. */
export function testContract<F extends Fixture>(start: () => Promise<F>): () => F {
  const output = recordOutput();
  const shown: unknown[] = [];
  const tokens: string[] = [];
  const sinks = new Map<string, Promise<Sink>>();
  let fixture: F;

  beforeAll(async () => {
    fixture = await start();
  }, START_TIMEOUT_MS);

  function sinkFor(delivery: Delivery): Promise<Sink> {
    const config = fixture.configFor(delivery);
    const key = JSON.stringify(config);
    const sink = sinks.get(key) ?? makeSink(config, fixture.env);
    sinks.set(key, sink);
    return sink;
  }

  /** Returns the location, or what was thrown. */
  async function deliver(delivery: Delivery, signal = new AbortController().signal): Promise<unknown> {
    tokens.push(delivery.token);
    const sink = await sinkFor(delivery);
    const result = await sink.deliver(delivery, signal).catch((error: unknown) => error);
    shown.push(result);
    return result;
  }

  /** Finds those texts that are in an output of the process, or in what a sink returned or threw. */
  function findShown(texts: readonly string[]): string[] {
    const places = [output(), ...shown.map(everythingIn)];
    return texts.filter((text) => places.some((place) => place.includes(text)));
  }

  describe('the contract of every sink:', () => {
    afterEach(() => expect(findShown([...tokens, ...fixture.canaries])).toEqual([]));

    it('a token is delivered, and again with the same id changes nothing', async () => {
      const delivery = newDelivery();
      const location = await deliver(delivery);
      expect(location).toMatch(fixture.locationOf(delivery));
      expect(await deliver(delivery)).toBe(location);
      expect(await fixture.held(delivery)).toEqual([delivery.token]);
      expect(findShown([String(location)])).toEqual([location]);
    });

    it('what leaks is found: in an output, and in the message, a hidden property or the cause of an error', () => {
      const leaks = ['leak-in-stdout', 'leak-in-console', 'leak-in-message', 'leak-in-cause', 'leak-hidden'];
      const [stdout = '', logged, message, cause, value] = leaks;
      jest.spyOn(process.stdout, 'write').mockReturnValueOnce(true);
      process.stdout.write(stdout);
      jest.spyOn(console, 'warn').mockReturnValueOnce();
      console.warn(logged);
      const error = new Error(message, { cause: { cause } });
      shown.push(Object.defineProperty(error, 'hidden', { value }));
      expect(findShown(leaks)).toEqual(leaks);
    });

    it('a check changes nothing', async () => {
      const delivery = newDelivery();
      await deliver(delivery);
      const sink = await sinkFor(delivery);
      for (const target of [null, delivery])
        shown.push(await sink.check?.(target, new AbortController().signal));
      expect(await fixture.held(delivery)).toEqual([delivery.token]);
    });

    it('a retry after a lost response changes nothing', async () => {
      const delivery = newDelivery();
      fixture.loseResponse?.();
      const result = await deliver(delivery);
      if (fixture.loseResponse) expect(result).toBeInstanceOf(SinkUnavailableError);
      expect(await fixture.held(delivery)).toEqual([delivery.token]);
      await deliver(delivery);
      expect(await fixture.held(delivery)).toEqual([delivery.token]);
    });

    it('a new token of the same organizations stays beside the former, or replaces it', async () => {
      const former = newDelivery();
      const next = successorOf(former);
      await deliver(former);
      await deliver(next);
      const kept = fixture.keepsFormer ? [former.token] : [];
      expect((await fixture.held(next)).sort()).toEqual([...kept, next.token].sort());
    });

    it('a refusal is SinkRejected, with a reason', async () => {
      const delivery = newDelivery();
      fixture.configFor(delivery);
      await fixture.refuse(delivery);
      const failure = await deliver(delivery);
      expect(failure).toBeInstanceOf(SinkRejectedError);
      expect((failure as Error).message).toMatch(/\w+ \w+ \w+/);
      expect(await fixture.held(delivery)).not.toContain(delivery.token);
    });

    it(
      'a cancelled delivery stops',
      async () => {
        const cancelled = new Error('the run was cancelled');
        const controller = new AbortController();
        const hanging = fixture.hang?.();
        if (!hanging) controller.abort(cancelled);
        try {
          const delivering = deliver(newDelivery(), controller.signal);
          await Promise.race([hanging, delivering]);
          controller.abort(cancelled);
          expect(await delivering).toBe(cancelled);
        } finally {
          if (hanging) await fixture.recover();
        }
      },
      CANCELLATION_TIMEOUT_MS,
    );

    it('of many tokens each is delivered once, though the sink is unreachable in the middle', async () => {
      const deliveries = Array.from({ length: 24 }, () => newDelivery());
      const [early, late] = [deliveries.slice(0, 12), deliveries.slice(12)];
      const failed = new Set<Delivery>();
      const deliverAtLast = (delivery: Delivery) =>
        eventually('a delivery', async () => {
          const failure = await deliver(delivery);
          if (!(failure instanceof Error)) return true;
          expect(failure).toBeInstanceOf(SinkUnavailableError);
          failed.add(delivery);
          return false;
        });
      // Some are delivered, and others are under way, when it becomes unreachable.
      const first = early.map(deliverAtLast);
      await Promise.race(first);
      await fixture.breakDown();
      const second = late.map(deliverAtLast);
      await eventually('failures', () => late.every((delivery) => failed.has(delivery)));
      const [one] = late as [Delivery];
      const checking = (await sinkFor(one)).check?.(one, new AbortController().signal);
      if (checking) await expect(checking).rejects.toBeInstanceOf(SinkUnavailableError);
      await fixture.recover();
      await Promise.all([...first, ...second]);
      const held = await Promise.all(deliveries.map((delivery) => fixture.held(delivery)));
      expect(held).toEqual(deliveries.map(({ token }) => [token]));
    });
  });
  return () => fixture;
}

/** Records what is written to the outputs of the process, and by the console. Returns how to read it. */
function recordOutput(): () => string {
  const spies = [
    ...[process.stdout, process.stderr].map((stream) => jest.spyOn(stream, 'write')),
    ...(['log', 'info', 'warn', 'error', 'debug'] as const).map((method) => jest.spyOn(console, method)),
  ];
  return () => spies.flatMap(({ mock }) => mock.calls.flat().map(String)).join('\n');
}

/** Shows parts, too, that console.log would not: hidden properties and causes. */
function everythingIn(value: unknown): string {
  const text = inspect(value, { showHidden: true, depth: Infinity, maxStringLength: Infinity });
  return value instanceof Error ? `${text} ${value.message} ${value.stack ?? ''}` : text;
}
