import type { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { parseInput } from '../../../src/activities/guards';
import { validateRequestActivity, type RetryPolicies } from '../../../src/activities/validate-request';
import { validRequestSchema, type FailureDetails } from '../../../src/contract/schemas';
import { escapeControls } from '../../../src/shared/text';
import { ANY_CHARACTER } from '../../support/any-character';
import { ORG, failureOf, unmapped, type Untyped } from './attempt';

/** A failure stands in history twice; Temporal takes a workflow task of 4 MB. */
const MAX_MESSAGE_LENGTH = 16 * 1024;
const MAX_FAILURE_BYTES = 256 * 1024;

const validate = validateRequestActivity(unmapped, new Map(), {} as RetryPolicies) as Untyped;

const refusalOf = (request: unknown, recovery: unknown = null) =>
  failureOf(validate(request, recovery, { workflowId: 'any', refusedOptions: [] }));

function expectBoundedAndPrintable({ type, message, details }: ApplicationFailure): void {
  expect(type).toBe('InvalidRequest');
  expect(message.length).toBeLessThan(MAX_MESSAGE_LENGTH);
  expect(message).toBe(escapeControls(message));
  expect(Buffer.byteLength(JSON.stringify(details))).toBeLessThan(MAX_FAILURE_BYTES);
  const [{ fields = [] }] = details as [FailureDetails];
  expect(fields.length).toBeGreaterThan(0);
  const texts = fields.map(({ field, description }) => field + description).join('');
  expect(texts).toBe(escapeControls(texts));
}

describe('a failure InvalidRequest is bounded and printable', () => {
  const unprintable = ['\u001b[2J', '\u009b', '\u202e'];
  const nearlyValid = ['10.0.0.1/8', '1.2.3.4 ', 'fe80::1%eth0', '010.0.0.1', ORG];
  const short = fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 4 });
  const text = fc.oneof(
    fc.string({ unit: ANY_CHARACTER }),
    fc.constantFrom(...unprintable, ...nearlyValid),
    short.map((unit) => unit.repeat(20_000)),
  );
  const manyOnes = fc
    .tuple(text, fc.integer({ min: 900, max: 1100 }))
    .map(([entry, count]) => Array<string>(count).fill(entry));
  const anything = fc.oneof(fc.jsonValue(), text, fc.array(text, { maxLength: 20 }), manyOnes);
  const like = (...fields: string[]) => {
    const unknown = fc.dictionary(text, fc.jsonValue(), { noNullPrototype: true, maxKeys: 20 });
    const known = fc.record(Object.fromEntries(fields.map((field) => [field, anything])), {
      requiredKeys: [],
    });
    return fc.tuple(unknown, known).map((parts) => Object.assign({}, ...parts) as object);
  };
  const request = like('orgId', 'accessListIps', 'sink', 'sourceOrgId', 'requestedBy', 'changeReference');
  const recovery = fc.oneof(anything, like('sealedToken', 'sinksTried'));
  const valid = { orgId: ORG, accessListIps: [], sink: 'drop' };

  it.each([
    ['request', fc.oneof(anything, request), (input: unknown) => refusalOf(input)],
    ['recovery', recovery, (input: unknown) => refusalOf(valid, input)],
  ])('for every %s', async (_what, inputs, refuse) => {
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => expectBoundedAndPrintable(await refuse(input))),
    );
  });

  it('for everything that another activity is given', async () => {
    const parse = (input: unknown) => Promise.resolve().then(() => parseInput(validRequestSchema, input));
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, request), async (input) =>
        expectBoundedAndPrintable(await failureOf(parse(input))),
      ),
    );
  });

  const names = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`name${i}`, 0]));
  it.each<[what: string, request: unknown]>([
    ['1,000 entries of control characters', { accessListIps: Array(1000).fill('\u001b'.repeat(1700)) }],
    ['100,000 entries', { accessListIps: Array(100_000).fill(0) }],
    ['100,000 names', names],
  ])('for %s', async (_what, input) => {
    expectBoundedAndPrintable(await refusalOf(input));
  });
});
