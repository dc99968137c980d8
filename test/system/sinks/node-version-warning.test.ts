import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { credentialEnv } from '../../support/atlas';
import { CLIENT } from '../../support/command-line';
import { runProgram } from '../../support/deployment';
import { eventually } from '../../support/eventually';
import { deploy, sharedTemporal, startAtlas } from '../../support/installation';

const WARNING = /NodeVersionSupportWarning/;

/** A deployment with the sink, on a Node that the AWS SDK warns of and that warns once more itself. */
async function oldNode(env: Record<string, string>) {
  const atlas = await startAtlas();
  const aws = { type: 'awsSecretsManager', region: 'eu-central-1', secretName: 'lm/{orgId}' };
  const deployment = await deploy({ atlas, config: { sinks: { aws } } });
  const preload = path.join(deployment.folder, 'old-node.cjs');
  writeFileSync(
    preload,
    `Object.defineProperty(process, 'version', { value: 'v20.19.0' });
     setTimeout(() => process.emitWarning('another warning'), 100).unref();\n`,
  );
  return { atlas, deployment, env: { ...env, NODE_OPTIONS: `--require ${preload}` } };
}

describe.each([
  ['by default', {}, false],
  ['when the environment wants it', { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'false' }, true],
])('the AWS SDK’s warning of an old Node, %s', (_when, environment, isShown) => {
  it(`is in the log of a worker: ${isShown}`, async () => {
    const { deployment, env } = await oldNode(environment);
    const worker = await deployment.startWorker(env);
    await eventually('another warning', () => worker.output().includes('another warning'));
    expect(WARNING.test(worker.output())).toBe(isShown);
  });

  it(`is in the output of doctor: ${isShown}`, async () => {
    const { atlas, deployment, env } = await oldNode(environment);
    const { address } = await sharedTemporal();
    const { stdout, stderr } = await runProgram(CLIENT, ['doctor', '--config', deployment.configFile], {
      ...embeddedEnv(address),
      ...credentialEnv(atlas.account, 'serviceAccount'),
      MONGODB_ATLAS_BASE_URL: atlas.url,
      ...env,
    });
    expect(stdout + stderr).toContain('sink aws: ');
    expect(WARNING.test(stdout + stderr)).toBe(isShown);
  });
});
