import type { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { parseInput } from '../../../src/activities/parse-input';
import { validateRequestActivity } from '../../../src/activities/validate-request';
import {
  failureDetailsSchema,
  prepareRequestSchema,
  validRequestSchema,
  type FailureDetails,
} from '../../../src/contract/schemas';
import type { Retries } from '../../../src/shared/activities';
import { escapeControls } from '../../../src/shared/text';
import { ANY_CHARACTER } from '../../support/any-character';
import { ORG } from '../samples';
import { clientOf } from '../temporal/scripted-server';
import { FOREIGN, attemptIn, failureOf, organizations, type Untyped } from './attempt';

/** History holds a failure twice, and Temporal accepts a workflow task of at most 4 MB. */
const MAX_MESSAGE_LENGTH = 16 * 1024;
const MAX_FAILURE_BYTES = 256 * 1024;

const validate = validateRequestActivity(
  { organizations, sinks: new Map() },
  {} as Retries,
) as Untyped;
const client = clientOf({ list: () => ({ executions: [] }) });

const refusalOf = (request: unknown) =>
  failureOf(attemptIn({}, client).run<unknown[], unknown, Untyped>(validate, request));

function expectBoundedAndPrintable({ type, message, details }: ApplicationFailure): void {
  expect(type).toBe('InvalidRequest');
  expect(message.length).toBeLessThan(MAX_MESSAGE_LENGTH);
  expect(message).toBe(escapeControls(message));
  expect(Buffer.byteLength(JSON.stringify(details))).toBeLessThan(MAX_FAILURE_BYTES);
  const [{ fields = [] }] = details as [FailureDetails];
  expect(failureDetailsSchema.shape.fields.safeParse(fields).error).toBeUndefined();
  expect(fields.length).toBeGreaterThan(0);
  const texts = fields.map(({ field, description }) => field + description).join('');
  expect(texts).toBe(escapeControls(texts));
}

const odd = ['\u001b[2J', '\u009b', '\u202e', '__proto__', 'constructor', 'toString'];
const nearlyValid = ['10.0.0.1/8', '1.2.3.4 ', 'fe80::1%eth0', '010.0.0.1', ORG];
const short = fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 4 });
const text = fc.oneof(
  fc.string({ unit: ANY_CHARACTER }),
  fc.constantFrom(...odd, ...nearlyValid),
  short.map((unit) => unit.repeat(20_000)),
);
const manyOnes = fc
  .tuple(text, fc.integer({ min: 900, max: 1100 }))
  .map(([entry, count]) => Array<string>(count).fill(entry));
const anything = fc.oneof(fc.jsonValue(), text, fc.array(text, { maxLength: 20 }), manyOnes);
/** Objects with some or all of these fields, and others. */
const like = (...fields: string[]) =>
  fc.dictionary(fc.oneof(fc.constantFrom(...fields), text), anything, {
    noNullPrototype: true,
    maxKeys: 20,
  });
const request = like(...Object.keys(prepareRequestSchema.shape));
const longNames = Object.fromEntries(Array.from('0123456789', (x) => [x + '\u001b'.repeat(99), x]));

/** Without `FOREIGN`, an unreadable input counts as that of another release. */
const parse = (input: unknown, info: object = {}) =>
  attemptIn(info).run(() => Promise.resolve(parseInput(validRequestSchema, input)));

it.each<
  [
    what: string,
    inputs: fc.Arbitrary<unknown>,
    refuse: (input: unknown) => Promise<ApplicationFailure>,
  ]
>([
  ['request', fc.oneof(anything, request, fc.constant(longNames)), refusalOf],
  ['input of another release', fc.oneof(anything, request), (input) => failureOf(parse(input))],
  [
    'input of an activity',
    fc.oneof(anything, request),
    (input) => failureOf(parse(input, FOREIGN)),
  ],
])(
  'an InvalidRequest failure is bounded and printable for every %s',
  async (_what, inputs, refuse) => {
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => expectBoundedAndPrintable(await refuse(input))),
    );
  },
);
