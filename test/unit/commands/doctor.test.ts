import { isDefective } from '../../../src/commands/doctor';

it.each([
  ['1.26.2', true],
  ['1.27.3', true],
  ['1.27.4', false],
  ['1.28.1', true],
  ['1.28.2', false],
  ['1.29.1', true],
  ['1.29.7', false],
  ['1.30.0', false],
  ['1.32.0-rc.1', false],
  ['2.1.0', false],
  ['', false],
])('doctor warns of server %j: %s', (version, warns) => {
  expect(isDefective(version)).toBe(warns);
});
