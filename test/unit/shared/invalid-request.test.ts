import { invalidRequest } from '../../../src/shared/invalid-request';

it('an invalid request fails with its first hundred problems and the number of the others', () => {
  const problems = Array.from({ length: 500 }, (_, i) => ({
    field: `f${i}`,
    description: 'is wrong',
  }));
  const failure = invalidRequest(problems);
  expect(failure).toMatchObject({ type: 'InvalidRequest', nonRetryable: true });
  const lastField = { field: 'request', description: 'has 400 more problems: correct these first' };
  expect(failure.details).toEqual([{ fields: [...problems.slice(0, 100), lastField] }]);
  expect(failure.message).toMatch(
    /^the request is not valid: f0 is wrong; .*f9 is wrong; and 490 more$/,
  );
  expect(invalidRequest(problems.slice(0, 100)).details).toEqual([
    { fields: problems.slice(0, 100) },
  ]);
  expect(invalidRequest(problems.slice(0, 10)).message).toMatch(/f9 is wrong$/);
});
