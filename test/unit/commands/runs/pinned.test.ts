import type { WorkflowExecutionDescription } from '@temporalio/client';
import { describePin } from '../../../../src/commands/runs/pinned';

const runWith = (versioningInfo: object | null) =>
  ({ workflowId: 'a b', raw: { workflowExecutionInfo: { versioningInfo } } }) as WorkflowExecutionDescription;

it('names the version of a pinned run and the command that unpins it', () => {
  const version = { deploymentName: 'kubernetes/prep', buildId: '1.0' };
  expect(describePin(runWith({ versioningOverride: { pinned: { version } } }))).toBe(
    "the run is pinned to version kubernetes/prep:1.0: if no worker of it polls, start one, or unpin the run: temporal workflow update-options --workflow-id 'a b' --versioning-override-behavior unspecified",
  );
});

it.each([
  ['without versions', null],
  ['without an override', {}],
  ['that always upgrades', { versioningOverride: { autoUpgrade: true } }],
])('says nothing of a run %s', (_what, versioningInfo) => {
  expect(describePin(runWith(versioningInfo))).toBeNull();
});
