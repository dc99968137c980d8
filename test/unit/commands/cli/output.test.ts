import { describeFindings } from '../../../../src/commands/cli/describe-findings';

const NO_CONNECTION = 'no connection to Atlas at https://cloud.mongodb.com (ECONNREFUSED)';

const noConnections = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    check: `credential c${index + 1}`,
    state: 'error' as const,
    message: NO_CONNECTION,
  }));

it('findings with the same state and message are one line with at most ten names', () => {
  const keys = {
    check: 'sealing keys',
    state: 'ok' as const,
    message: 'key first seals and opens tokens',
  };
  const tenNames = Array.from({ length: 10 }, (_, index) => `credential c${index + 1}`).join(', ');
  expect(describeFindings([...noConnections(2), keys, ...noConnections(1)])).toEqual([
    `error     credential c1, credential c2, credential c1: ${NO_CONNECTION}`,
    'ok        sealing keys: key first seals and opens tokens',
  ]);
  expect(describeFindings(noConnections(10))).toEqual([`error     ${tenNames}: ${NO_CONNECTION}`]);
  expect(describeFindings(noConnections(60))).toEqual([
    `error     ${tenNames} and 50 more checks: ${NO_CONNECTION}`,
  ]);
});

it('findings that differ in their state or message are lines of their own', () => {
  const [one] = noConnections(1);
  const findings = [
    { check: 'a', state: 'ok' as const, message: 'x' },
    { check: 'b', state: 'warning' as const, message: 'x' },
  ];
  expect(describeFindings(findings)).toEqual(['ok        a: x', 'warning   b: x']);
  expect(describeFindings(one ? [one, { ...one, message: 'x' }] : [])).toHaveLength(2);
});
