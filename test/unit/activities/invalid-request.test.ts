import type { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { parseInput } from '../../../src/activities/parse-input';
import { validateRequestActivity } from '../../../src/activities/validate-request';
import { createOrganizations } from '../../../src/config/organizations';
import type { ValidatedRequest } from '../../../src/contract/activities';
import { escapeControls } from '../../../src/contract/printable';
import { recoverySchema, validRequestSchema } from '../../../src/contract/schemas';
import { ANY_CHARACTER } from '../../support/any-character';

const ORG = '64f1c0ffee5eed0000000a71';
/** A failure stands in history twice; Temporal takes a workflow task of 4 MB. */
const MAX_MESSAGE_LENGTH = 16 * 1024;
const MAX_FAILURE_BYTES = 256 * 1024;

const organizations = createOrganizations({
  organizations: null,
  credentials: new Map([['default', null]]),
  sinks: new Map([['drop', null]]),
});
const plans = {} as Pick<ValidatedRequest, 'create' | 'deliver'>;
const validate = validateRequestActivity(organizations, new Map(), plans) as (
  ...args: unknown[]
) => Promise<unknown>;

async function failureOf(work: () => unknown): Promise<ApplicationFailure | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return error as ApplicationFailure;
  }
}

const refusalOf = (request: unknown, recovery: unknown = null) =>
  failureOf(() => validate(request, recovery, { workflowId: 'any', refusedOptions: [] }));

function expectBoundedAndPrintable(failure: ApplicationFailure | null): void {
  if (!failure) return;
  const { type, message, details } = failure;
  expect(type).toBe('InvalidRequest');
  expect(message.length).toBeLessThan(MAX_MESSAGE_LENGTH);
  expect(message).toBe(escapeControls(message));
  expect(Buffer.byteLength(JSON.stringify(failure.details))).toBeLessThan(MAX_FAILURE_BYTES);
  const fields = (details?.[0] as { fields: { field: string; description: string }[] }).fields;
  expect(fields.length).toBeGreaterThan(0);
  for (const { field, description } of fields) {
    expect(field + description).toBe(escapeControls(field + description));
  }
}

describe('a failure InvalidRequest is bounded and printable', () => {
  const text = fc.oneof(
    fc.string({ unit: ANY_CHARACTER }),
    fc.constantFrom(
      '\u001b[2J',
      '\u009b',
      '\u202e',
      '10.0.0.1/8',
      '1.2.3.4 ',
      'fe80::1%eth0',
      '010.0.0.1',
      ORG,
    ),
    fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 4 }).map((unit) => unit.repeat(20_000)),
  );
  const anything = fc.oneof(
    fc.jsonValue(),
    text,
    fc.array(text, { maxLength: 20 }),
    fc.dictionary(text, fc.jsonValue(), { noNullPrototype: true }),
    fc
      .tuple(text, fc.integer({ min: 900, max: 1100 }))
      .map(([entry, count]) => Array<string>(count).fill(entry)),
  );
  const like = (...fields: string[]) =>
    fc
      .tuple(
        fc.record(Object.fromEntries(fields.map((field) => [field, anything])), { requiredKeys: [] }),
        fc.dictionary(text, fc.jsonValue(), { noNullPrototype: true, maxKeys: 20 }),
      )
      .map(([known, unknown]) => ({ ...unknown, ...known }));
  const request = like('orgId', 'accessListIps', 'sink', 'sourceOrgId', 'requestedBy', 'changeReference');
  const recovery = fc.oneof(anything, like('sealedToken', 'sinksTried'));

  it('for every request', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, request), async (input) => {
        const failure = await refusalOf(input);
        expect(failure).not.toBeNull();
        expectBoundedAndPrintable(failure);
      }),
    );
  });

  it('for every recovery', async () => {
    await fc.assert(
      fc.asyncProperty(recovery, async (input) => {
        const failure = await refusalOf({ orgId: ORG, accessListIps: [], sink: 'drop' }, input);
        expect(failure).not.toBeNull();
        expectBoundedAndPrintable(failure);
      }),
    );
  });

  it('for everything that another activity is given', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, request, recovery), async (input) => {
        for (const schema of [validRequestSchema, recoverySchema]) {
          expectBoundedAndPrintable(await failureOf(() => parseInput(schema, input)));
        }
      }),
    );
  });

  it.each<[what: string, request: unknown]>([
    ['1,000 entries of control characters', { accessListIps: Array(1000).fill('\u001b'.repeat(1700)) }],
    ['850,000 entries', { accessListIps: Array(850_000).fill(0) }],
    ['an entry of 1.7 MB', { accessListIps: [`1.2.3.4${' '.repeat(1_700_000)}`] }],
    ['a name of 1.7 MB', { ['\u001b'.repeat(1_700_000)]: 1 }],
    ['200,000 names', Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`name${i}`, 0]))],
    ['a sink of 1.7 MB', { orgId: ORG, accessListIps: [], sink: 'x'.repeat(1_700_000) }],
  ])('for %s', async (_what, input) => {
    const failure = await refusalOf(input);
    expect(failure).not.toBeNull();
    expectBoundedAndPrintable(failure);
  });

  it('and counts the problems that it leaves out', async () => {
    const failure = await refusalOf({ orgId: ORG, sink: 'drop', accessListIps: Array(500).fill('x') });
    const [{ fields }] = failure?.details as [{ fields: { field: string; description: string }[] }];
    expect(fields).toHaveLength(101);
    expect(fields.at(-1)).toEqual({
      field: 'request',
      description: 'has 400 more problems: correct these first',
    });
    expect(failure?.message).toMatch(/; and 490 more$/);
  });
});
