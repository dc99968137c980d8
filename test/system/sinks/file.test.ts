import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Delivery } from '../../../src/sinks/sink';
import { startAtlas } from '../../support/atlas';
import { newFolder } from '../../support/clean-up';
import { install, type Handle } from '../../support/installation';
import { endingOf, redeliver, startAndAwait, statusOf, untilStep } from '../../support/runs';
import { serveHttp } from '../../support/servers';
import { makeSink, newDelivery } from '../../support/sinks';
import { testContract } from './contract';

const UNANSWERED = /of the sink has not answered since 20.*Z: check its file system/;

testContract('file', () => {
  const folder = newFolder();
  const directory = path.join(folder, 'tokens');
  const away = path.join(folder, 'away');
  mkdirSync(directory);
  const fileOf = ({ orgId, sourceOrgId, deliveryId }: Delivery) =>
    path.join(directory, `${orgId}.${sourceOrgId}.${deliveryId}.link-token`);
  return Promise.resolve({
    keepsFormer: true,
    configFor: () => ({ type: 'file', directory }),
    env: {},
    canaries: [],
    locationOf: (delivery) => `file ${fileOf(delivery)} on the worker's host`,
    held: ({ orgId, sourceOrgId }) =>
      readdirSync(directory)
        // An attempt that lost its directory may leave a temporary file.
        .filter(
          (name) => name.startsWith(`${orgId}.${sourceOrgId}.`) && name.endsWith('.link-token'),
        )
        .map((name) => readFileSync(path.join(directory, name), 'utf8')),
    refuse: (delivery) => writeFileSync(fileOf(delivery), 'of someone else'),
    proxy: {
      cut: () => renameSync(directory, away),
      restore: () => renameSync(away, directory),
    },
  });
});

it('loads no library that only another sink needs', () => {
  const program = `
    require(process.argv[1]).sinkConfigSchema({ env: {}, baseDirectory: '/', warn() {} })
      .parse({ type: 'file', directory: 'tokens' })()
      .then(() => console.log(Object.keys(require.cache).join()));`;
  const sinks = path.resolve(__dirname, '../../../dist/sinks');
  const files = execFileSync(process.execPath, ['-e', program, sinks], { encoding: 'utf8' });
  const packages = [...files.matchAll(/\/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].map(
    ([, name]) => name,
  );
  // Sinks may import zod and undici. What only one needs is imported in its `create`.
  expect([...new Set(packages)].sort()).toEqual(['undici', 'zod']);
});

it('writes files in a process that has nothing of the environment of the worker', () => {
  const program = `
    require(process.argv[1]).sinkConfigSchema({ env: {}, baseDirectory: '/', warn() {} })
      .parse({ type: 'file', directory: process.argv[2] })()
      .then((sink) => sink.check(null, new AbortController().signal))
      .then(() => {
        const fs = require('node:fs');
        const child = fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim();
        console.log(fs.readFileSync('/proc/' + child + '/environ', 'utf8'));
      });`;
  const sinks = path.resolve(__dirname, '../../../dist/sinks');
  const environment = execFileSync(process.execPath, ['-e', program, sinks, newFolder()], {
    encoding: 'utf8',
    env: { SECRET: 'CANARY' },
  });
  expect(environment.split('\0').map((line) => line.replace(/=[^]*/, '').trim())).toEqual([
    'UV_THREADPOOL_SIZE',
    'NODE_CHANNEL_FD',
    'NODE_CHANNEL_SERIALIZATION_MODE',
    '',
  ]);
});

it('leaves a missing source organization out of the name of the file', async () => {
  const directory = newFolder();
  const delivery = newDelivery({ sourceOrgId: null });
  const { deliver } = await makeSink({ type: 'file', directory });
  await deliver(delivery);
  expect(readdirSync(directory)).toEqual([`${delivery.orgId}.${delivery.deliveryId}.link-token`]);
});

it('five hung folders block neither other sinks, nor a cancel, nor a shutdown', async () => {
  const { url } = await serveHttp((_request, response) => response.end());
  const hook = {
    type: 'webhook',
    url: url.replace('127.0.0.1', 'localhost'),
    allowHttp: true,
    signingSecrets: [{ env: 'SIGNING_SECRET' }],
  };
  const hung = [1, 2, 3, 4, 5].map((number) => `hung-${number}`);
  const folders = ['tokens', ...hung].map(
    (name) => [name, { type: 'file', directory: name }] as const,
  );
  const installation = await install({
    atlas: await startAtlas(),
    config: { sinks: { ...Object.fromEntries(folders), hook } },
    env: { SIGNING_SECRET: `whsec_${'a'.repeat(32)}` },
  });
  const { folder, newRequest, start } = installation;
  for (const name of hung) {
    mkdirSync(path.join(folder, name));
    execFileSync('mkfifo', [path.join(folder, `${name}.fifo`)]);
  }
  const preload = path.join(__dirname, '../../support/hung-folders.cjs');
  const worker = await installation.startWorker({ NODE_OPTIONS: `--require ${preload}` });

  const requests = hung.map((sink) => newRequest({ sink }));
  const failing = requests.map((request) => startAndAwait(installation, request));
  const [cancelledRun, waitingRun] = requests.map((request) => installation.handleOf(request)) as [
    Handle,
    Handle,
  ];
  await untilStep(cancelledRun, 'delivering');
  await cancelledRun.cancel();
  expect(await endingOf(cancelledRun)).toMatchObject({ type: 'CANCELLED' });
  expect(await statusOf(cancelledRun)).toMatchObject({
    description: expect.stringMatching(/it may be in sink hung-1$/),
  });
  for (const outcome of (await Promise.all(failing)).slice(1)) {
    expect(outcome).toMatchObject({
      type: 'SinkUnavailable',
      message: expect.stringMatching(UNANSWERED),
    });
  }
  for (const sink of ['tokens', 'hook']) {
    expect(await endingOf(await start(newRequest({ sink })))).toMatchObject({ type: 'delivered' });
  }
  expect(await redeliver(waitingRun, { sink: 'tokens' })).toMatchObject({
    receipt: { alsoTried: ['hung-2'] },
  });
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
});
