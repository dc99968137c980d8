import { z } from 'zod';
import type { ReferenceContext } from '../secrets';
import { awsSecretsManagerSink } from './aws-secrets-manager';
import { cloudManagerSink } from './cloud-manager';
import { fileSink } from './file';
import type { Sink, SinkType } from './sink';
import { vaultSink } from './vault';
import { webhookSink } from './webhook';

function register<Config>(sinkType: SinkType<Config>) {
  return {
    type: sinkType.type,
    /** Schema that parses a configuration of this type into a function that makes the sink. */
    factorySchema: (context: ReferenceContext) =>
      sinkType.configSchema(context).transform((config) => () => sinkType.create(config)),
  };
}

const SINK_TYPES = new Map(
  [
    register(fileSink),
    register(webhookSink),
    register(vaultSink),
    register(awsSecretsManagerSink),
    register(cloudManagerSink),
  ].map((entry) => [entry.type, entry]),
);

export type SinkFactory = () => Promise<Sink>;

/** Schema of one entry under `sinks`: `{type: …, …}`, told apart by `type`. */
export function sinkConfigSchema(context: ReferenceContext) {
  return z
    .looseObject({ type: z.string('name the type of the sink') })
    .transform(({ type, ...rest }, issues): SinkFactory => {
      const entry = SINK_TYPES.get(type);
      if (!entry) {
        issues.addIssue({
          code: 'custom',
          path: ['type'],
          message: `is not a type of sink: write one of ${[...SINK_TYPES.keys()].join(', ')}`,
        });
        return z.NEVER;
      }
      const parsed = entry.factorySchema(context).safeParse(rest);
      if (!parsed.success) {
        for (const issue of parsed.error.issues) issues.addIssue({ ...issue, code: 'custom' });
        return z.NEVER;
      }
      return parsed.data;
    });
}
