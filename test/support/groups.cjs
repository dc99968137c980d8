const { readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');

const TESTS = path.join(__dirname, '..');

/**
 * Lists the `group.test.ts` of folders whose tests share what takes long to start, each with the
 * files that it loads.
 */
function findGroups() {
  const names = readdirSync(TESTS, { recursive: true, encoding: 'utf8' });
  const groups = names.filter((name) => path.basename(name) === 'group.test.ts');
  return groups.map((name) => {
    const group = path.join(TESTS, name);
    const loaded = readFileSync(group, 'utf8').matchAll(/require\('(.+\.test)'\)/g);
    const members = [...loaded].map(([, member]) => path.join(path.dirname(group), `${member}.ts`));
    return { group, members };
  });
}

/**
 * Returns the test files that jest leaves out: of each group its members, which the group runs. If
 * the arguments name members and not their group, it is the group.
 *
 * @param {string[]} args of jest, of which those that match the path of a file name it
 */
exports.findTestsToLeaveOut = (args) => {
  /** @param {string} file */
  const isNamed = (file) => args.some((arg) => !arg.startsWith('-') && matches(arg, file));
  return findGroups().flatMap(({ group, members }) => {
    const areAlone = members.some(isNamed) && !isNamed(group);
    return areAlone ? [group] : members;
  });
};

/**
 * @param {string} pattern
 * @param {string} file
 */
function matches(pattern, file) {
  try {
    return new RegExp(pattern, 'i').test(file);
  } catch {
    return false;
  }
}
