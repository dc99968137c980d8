import { readMemo } from '../../../src/contract/schemas';
import { mayHaveToken } from '../../../src/temporal/run-state';

const statusOf = (name: string) => ({ name }) as Parameters<typeof mayHaveToken>[0]['status'];

it.each([
  ['COMPLETED', true],
  ['TERMINATED', true],
  ['TIMED_OUT', true],
  ['FAILED', false],
  ['CANCELLED', false],
])('a run that ended as %s, with an empty memo, may have a token: %s', (name, expected) => {
  expect(mayHaveToken({ status: statusOf(name), memo: readMemo({}) })).toBe(expected);
});

it('a run that failed may have the token that its memo names', () => {
  const memo = readMemo({ deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748f' });
  expect(mayHaveToken({ status: statusOf('FAILED'), memo })).toBe(true);
});
