import { readFileSync } from 'node:fs';
import path from 'node:path';
import { DELIVERY_FAILURE_TYPES, FAILURE_TYPES } from '../../../src/contract/names';
import { LANGUAGES, sourceOf } from '../../support/examples';
import { ROOT } from '../../support/markdown';

/** Refusals of the Update with which the examples start a run. */
const REFUSALS = ['DifferentRequest', 'TooManyWaiting'];

describe.each(Object.entries(LANGUAGES))('the %s examples', (_, language) => {
  it('branch on every failure type and every refusal', () => {
    const source = sourceOf(language, 'failures');
    const types = [...FAILURE_TYPES, ...DELIVERY_FAILURE_TYPES, ...REFUSALS];
    expect(types.filter((type) => !new RegExp(`\\b${type}\\b`).test(source))).toEqual([]);
  });

  it('name every type of a failed delivery in join', () => {
    const source = sourceOf(language, 'join');
    const isNamed = (type: string) => source.includes(`"${type}"`) || source.includes('DELIVERY_FAILURE_TYPES');
    expect(DELIVERY_FAILURE_TYPES.filter((type) => !isNamed(type))).toEqual([]);
  });
});

it('the TypeScript examples pin the versions of this package', () => {
  const packageIn = (folder: string) =>
    JSON.parse(readFileSync(path.join(ROOT, folder, 'package.json'), 'utf8')) as {
      version: string;
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
  const { version, dependencies, devDependencies } = packageIn('.');
  const tarball = { 'live-migration-prep': `file:live-migration-prep-${version}.tgz` };
  const theirs = packageIn('examples/typescript').dependencies;
  expect({ ...dependencies, ...devDependencies, ...tarball }).toMatchObject(theirs);
});
