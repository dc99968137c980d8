import { suggestedCommands } from '../../../../src/commands/cli/suggested-commands';

const complete = suggestedCommands({
  address: 'temporal:7233',
  namespace: 'prod eu',
  taskQueue: 'payments',
});
const reaching = "--address temporal:7233 --namespace 'prod eu'";

it.each([
  [
    'live-migration-prep list --undelivered',
    `live-migration-prep ${reaching} --task-queue payments list --undelivered`,
  ],
  [
    'deliver it: live-migration-prep redeliver --org a',
    `deliver it: live-migration-prep ${reaching} redeliver --org a`,
  ],
  ['wait: live-migration-prep watch --org a', `wait: live-migration-prep ${reaching} watch --org a`],
  [
    'temporal workflow result --namespace a --workflow-id b',
    'temporal workflow --address temporal:7233 result --namespace a --workflow-id b',
  ],
  [
    'temporal workflow describe --workflow-id b',
    "temporal workflow --address temporal:7233 --namespace 'prod eu' describe --workflow-id b",
  ],
  ['live-migration-prep/64f1/5c01 is open', 'live-migration-prep/64f1/5c01 is open'],
  ['live-migration-prep-worker --config a', 'live-migration-prep-worker --config a'],
])('completes the commands in %j, once', (line, completed) => {
  expect(complete(line)).toBe(completed);
  expect(complete(complete(line))).toBe(completed);
});

it('leaves them as they are where every option has its default', () => {
  const line = 'live-migration-prep list; temporal workflow list';
  expect(suggestedCommands({ taskQueue: 'live-migration-prep' })(line)).toBe(line);
});
