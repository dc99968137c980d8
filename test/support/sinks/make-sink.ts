import { sinkConfigSchema } from '../../../src/sinks';
import type { Delivery, Sink } from '../../../src/sinks/sink';

export type Env = Record<string, string>;

/** Parses a configuration, as it is written under `sinks`, with the real schema. */
export function parseSink(config: object, env: Env = {}, baseDirectory = '/') {
  return sinkConfigSchema({ env, baseDirectory, warn: () => undefined }).safeParse(config);
}

export async function makeSink(config: object, env: Env = {}, baseDirectory = '/'): Promise<Sink> {
  const parsed = parseSink(config, env, baseDirectory);
  if (!parsed.success) throw parsed.error;
  return parsed.data();
}

/** Makes a sink, and returns how to deliver there. */
export async function makeDelivering(config: object, env?: Env) {
  const sink = await makeSink(config, env);
  return (delivery: Delivery) => sink.deliver(delivery, new AbortController().signal);
}
