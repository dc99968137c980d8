import { z } from 'zod';
import type { ReferenceContext } from '../secrets/read-secret';
import { awsSecretsManagerSink } from './aws-secrets-manager';
import { cloudManagerSink } from './cloud-manager';
import { fileSink } from './file';
import type { Sink, SinkType } from './sink';
import { vaultSink } from './vault';
import { webhookSink } from './webhook';

/** The configuration, its messages, the contract test and the docs check derive from this list. */
export const SINK_TYPES: readonly SinkType[] = [
  fileSink,
  webhookSink,
  vaultSink,
  awsSecretsManagerSink,
  cloudManagerSink,
];

type SinkFactory = () => Promise<Sink>;

/** Creates the schema of an entry under `sinks`. Its output is a function that creates the sink. */
export function sinkConfigSchema(context: ReferenceContext) {
  return z
    .looseObject({ type: z.string('name the type of the sink') })
    .transform(({ type, ...rest }, issues): SinkFactory => {
      const sinkType = SINK_TYPES.find((candidate) => candidate.type === type);
      if (!sinkType) {
        const message =
          'is not a type of sink: write one of' +
          ` ${SINK_TYPES.map(({ type }) => type).join(', ')}`;
        issues.addIssue({ code: 'custom', path: ['type'], message });
        return z.NEVER;
      }
      const { data: config, error } = sinkType.configSchema(context).safeParse(rest);
      if (!error) return async () => sinkType.create(config);
      // The configuration makes its messages from the codes of these issues.
      issues.issues.push(
        ...error.issues.map((issue) => ({ ...issue, input: rest }) as z.core.$ZodRawIssue),
      );
      return z.NEVER;
    });
}

export async function createSinks(
  factories: ReadonlyMap<string, SinkFactory>,
): Promise<Map<string, Sink>> {
  const sinks = [...factories].map(async ([name, create]) => [name, await create()] as const);
  return new Map(await Promise.all(sinks));
}
