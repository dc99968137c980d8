import { readFileSync } from 'node:fs';
import path from 'node:path';
import { compactDecrypt, importJWK, type JWK } from 'jose';
import { DEFAULTS } from '../../dev/atlas-emulator';
import { wrongClock } from '../../dev/support/wrong-clock';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import { shortName } from '../../src/contract/workflow-id';
import { credentialEnv, newAccount, seedOf } from '../support/atlas';
import { cleanUpLater } from '../support/clean-up';
import { eventually } from '../support/eventually';
import { newAddress, newOrgId } from '../support/ids';
import type { Handle } from '../support/installation';
import { codeBlocks, page, sectionBelow } from '../support/markdown';
import { end, endingOf, redeliver, untilStep } from '../support/runs';
import { runEvery } from '../support/schedules';
import { setUp } from '../support/set-up';
import { createShell, type Shell } from '../support/shell';
import { untilListed } from '../support/temporal';
import { startWorkerProcess, untilRunning, type WorkerProcess } from '../support/worker-process';

/** Runs all commands of dev/acceptance.md in one terminal. Returns what each block prints. */
async function runAcceptancePage() {
  const { atlas, installation, sh } = await createShell({
    sinks: { drop: { type: 'file', directory: 'tokens' } },
  });
  const { account } = atlas;
  const [second, member] = [newAccount(), newAccount()];
  const { serviceAccounts = [], ...seed } = seedOf([account, second]);
  const { clientId, clientSecret } = member;
  const withoutRole = { clientId, clientSecret, orgId: account.orgId, roles: ['ORG_MEMBER'] };
  atlas.seed({ ...seed, serviceAccounts: [...serviceAccounts, withoutRole] });
  const withoutApiKey = 'env -u MONGODB_ATLAS_PUBLIC_API_KEY -u MONGODB_ATLAS_PRIVATE_API_KEY';
  const { memberAccount, secondSourceOrgId, secondSourceApiKey } = DEFAULTS;
  const replacements = [
    [secondSourceOrgId, second.sourceOrgId],
    [secondSourceApiKey.publicKey, second.sourcePublicKey],
    [secondSourceApiKey.privateKey, second.sourcePrivateKey],
    [memberAccount.clientId, clientId],
    [memberAccount.clientSecret, clientSecret],
    ['task_queue=live-migration-prep', `task_queue=${installation.taskQueue}`],
    // The stand-in for the Atlas CLI has an API key, which would be a second credential of doctor.
    ['\nMONGODB_ATLAS_CLIENT_ID=', `\n${withoutApiKey} MONGODB_ATLAS_CLIENT_ID=`],
  ] as const;
  const blocks = codeBlocks(page('dev/acceptance.md'), 'sh').map((block) =>
    replacements.reduce((text, [from, to]) => text.replaceAll(from, to), `\n${block}`),
  );
  const variables = {
    ...credentialEnv(account),
    LIVE_MIGRATION_PREP_CONFIG: installation.configFile,
  };
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${value}\n`);
  await sh(`ln -s ${installation.folder}/tokens tokens`);
  const lines = await sh(exports.join('') + blocks.join('echo; echo END\n'));
  const output = lines.map((line) => line.join('\t')).join('\n');
  return { atlas, printed: output.split(/^END$/m).map((part) => part.trim()) };
}

describe('the commands of dev/acceptance.md, in one terminal,', () => {
  const acceptance = setUp(runAcceptancePage);
  const SYNCED = '{"status":"SYNCED"}';
  const NOT_SYNCED = '{"status":"NOT_SYNCED"}';

  const keyIds = () =>
    acceptance()
      .atlas.createdTokens()
      .map(({ apiKey }) => apiKey.id);

  it('create a token, and find its key', () => {
    const { printed } = acceptance();
    expect(printed).toHaveLength(11);
    const [names, look, create, find = '', decode] = printed;
    const [keyId] = keyIds();
    expect(names).toBe('');
    expect(look).toMatch(/\n\[\]$/);
    expect(create).toMatch(/^file .*\.link-token on the worker's host$/);
    const line = new RegExp(
      `^${keyId}\t(\\S+)\t(\\S+)\tAtlas Migration Service Key - [\\da-f]{7}\tORG_OWNER\n`,
    );
    const [, madeAt = '', arrivedAt = ''] = line.exec(find) ?? [];
    // A key's id has whole seconds.
    expect(Date.parse(arrivedAt)).toBeGreaterThanOrEqual(Date.parse(madeAt));
    expect(find).toContain('\n{"links":[],"results":[],"totalCount":0}');
    expect(find).toContain('"eventTypeName":"API_KEY_CREATED"');
    expect(decode).toMatch(/^1\norgId\norgName\nprivateApiKey\npublicApiKey\norganization /);
    expect(decode).toMatch(new RegExp(`\n${keyId}  [a-z]{8}  .*  delivered: .*, in sink drop\n`));
  });

  it('connect two sources, and replace the token of one', () => {
    const { atlas, printed } = acceptance();
    const [use, connect, replace] = printed.slice(5);
    const [firstKeyId, secondKeyId] = keyIds();
    const project = `"projectId":"${atlas.account.sourceOrgId}"`;
    expect(use).toMatch(new RegExp(`^${SYNCED}\n${SYNCED}\n.*${project}`));
    expect(connect?.split('\n').slice(0, 3)).toEqual([SYNCED, SYNCED, SYNCED]);
    expect(connect).toMatch(new RegExp(`\n *2 ${firstKeyId}\n *1 ${secondKeyId}$`));
    expect(replace?.split('\n')).toEqual([SYNCED, SYNCED, SYNCED, SYNCED]);
  });

  it('show that a credential lacks the role', () => {
    const refuse = acceptance().printed[8];
    expect(refuse).toMatch(
      /\nerror +role of credential default: .* cannot create link-tokens .* 401 NOT_ORG_OWNER/,
    );
    expect(refuse).toMatch(/\nHTTP\/1\.1 401 [^\n]*\nNOT_ORG_OWNER\nHTTP\/1\.1 201 [^\n]*\n/);
  });

  it('take keys and links away, and leave none', () => {
    const { atlas, printed } = acceptance();
    const [takeAway, remove] = printed.slice(9);
    const [firstKeyId] = keyIds();
    expect(takeAway?.split('\n')).toEqual([
      'alreadyLinked',
      `API Key '${firstKeyId}' deleted`,
      NOT_SYNCED,
      SYNCED,
      'link deleted',
      NOT_SYNCED,
      '[]',
      'recentToken',
    ]);
    // The keys of older tokens, which the deletion of the link leaves.
    expect(remove).toMatch(/^(API Key '[\da-f]{24}' deleted\n){2}0$/);
    expect(atlas.state().migrationLinks).toEqual([]);
    const removed = { removedAt: expect.any(String) };
    expect(atlas.createdTokens()).toMatchObject([removed, removed, removed, removed]);
  });
});

describe('the commands of docs/a-wave.md', () => {
  const section = page('docs/a-wave.md');
  const [readCsv = '', make = '', check = '', startMany = '', handOver = '', end = ''] = codeBlocks(
    section,
    'sh',
  );
  const start = startMany.replace(/^.* --dry-run .*$/m, '');
  const [header = '', example = ''] = (codeBlocks(section, 'csv')[0] ?? '').split('\n');

  /** Makes `orgs.json` from a table with the organization of the page and another. */
  async function readTable({ sh }: Shell): Promise<void> {
    const another = ['archive', newOrgId(), newOrgId(), 'mdb_sa_id_archive', 'archived'].join(',');
    const rows = [header, example, another].join('\\r\\n');
    await sh(`printf '${rows}' > orgs.csv; ${readCsv}`);
    const [[names] = []] = await sh(`jq -c '[.[] | keys_unsorted, .name]' orgs.json`);
    const columns = header.split(',');
    expect(JSON.parse(names ?? '')).toEqual([columns, 'payments', columns, 'archive']);
  }

  /** Makes the configuration, and service accounts of Atlas with secrets that are invented here. */
  async function makeConfiguration({ atlas, sh }: Shell, folder: string): Promise<void> {
    await sh(make);
    // The emulator, in place of Cloud Manager.
    await sh(
      `sed -i 's|type: cloudManager|&\\n    baseUrl: ${atlas.url}\\n    allowHttp: true|' live-migration-prep.yaml`,
    );
    const organizations = JSON.parse(readFileSync(path.join(folder, 'orgs.json'), 'utf8')) as {
      name: string;
      orgId: string;
      sourceOrgId: string;
      clientId: string;
      publicKey: string;
    }[];
    for (const { name } of organizations) {
      await sh(
        `umask 077; for file in '${name}' '${name}-source'; do echo "secret-of-$file" > "secrets/$file"; done`,
      );
    }
    atlas.seed({
      organizations: organizations.map(({ name, orgId }) => ({ id: orgId, name })),
      sourceOrganizations: organizations.map(({ name, sourceOrgId }) => ({
        id: sourceOrgId,
        name,
      })),
      apiKeys: organizations.map(({ name, sourceOrgId, publicKey }) => ({
        orgId: sourceOrgId,
        publicKey,
        privateKey: `secret-of-${name}-source`,
      })),
      serviceAccounts: organizations.map(({ name, orgId, clientId }) => ({
        orgId,
        clientId,
        clientSecret: `secret-of-${name}`,
      })),
    });
  }

  async function checkConfiguration({ sh }: Shell): Promise<void> {
    expect(check).toMatch(/\nlive-migration-prep-worker\n$/);
    const findings = await sh(check.replace('live-migration-prep-worker\n', ''));
    // A worker of the examples may poll the default task queue, of which the second warning is.
    expect(findings.flat().at(-1)).toMatch(/^\d+ checks, 0 errors, [12] warnings?\b/);
  }

  /** Replaces the shell's worker by one with the configuration of the page. */
  async function startWorker(
    { address, atlas, installation, sh }: Shell,
    folder: string,
  ): Promise<void> {
    await installation.workers[0]?.stop();
    await sh(
      '(cat live-migration-prep.yaml; echo "taskQueue: $TASK_QUEUE"; echo "health: {port: 0}") > worker.yaml',
    );
    const env = { ...devServerEnv(address), MONGODB_ATLAS_BASE_URL: atlas.url };
    const worker = startWorkerProcess(
      path.join(folder, 'worker.yaml'),
      path.join(folder, 'worker.log'),
      env,
    );
    cleanUpLater(() => worker.stop());
    await untilRunning(worker);
  }

  /** Prepares each organization, once only. */
  async function prepareAll({ atlas, sh }: Shell): Promise<void> {
    const printed = `${start}${handOver}cat receipts.jsonl\n`;
    const receipts = (await sh(printed)).map(([line = '']) => JSON.parse(line) as object);
    expect(receipts).toMatchObject([
      { changeReference: 'CHG-1042', credential: expect.stringMatching(/payments|archive/) },
      { changeReference: 'CHG-1042', credential: expect.stringMatching(/payments|archive/) },
    ]);
    expect(atlas.createdTokens()).toHaveLength(2);
    const repeated = await sh(printed.replace('--wait ', ''));
    expect(repeated.map(([line = '']) => JSON.parse(line) as object)).toEqual(
      expect.arrayContaining(receipts),
    );
    expect(await sh("jq -r 'select(.action) | .action' results.jsonl")).toEqual([
      ['skipped'],
      ['skipped'],
    ]);
  }

  it('serve a list of organizations, each with a receipt, and end their tokens', async () => {
    const shell = await createShell();
    const [[folder = ''] = []] = await shell.sh('pwd');
    await readTable(shell);
    await makeConfiguration(shell, folder);
    await checkConfiguration(shell);
    await startWorker(shell, folder);
    await prepareAll(shell);
    await shell.sh(end);
    const removed = { removedAt: expect.any(String) };
    expect(shell.atlas.createdTokens()).toMatchObject([removed, removed]);
  });
});

it('the logs name each token, with its place, by the command of docs/production.md', async () => {
  const [command = ''] = codeBlocks(
    sectionBelow(page('docs/production.md'), 'Keep a record'),
    'sh',
  );
  const { installation, sh } = await createShell();
  const [worker] = installation.workers as [WorkerProcess];
  const accessListIps = Array.from({ length: 21 }, newAddress);
  const requests = ['files', 'blocked', 'blocked'].map((sink) =>
    installation.newRequest({ sink, accessListIps, requestedBy: 'ada', changeReference: 'CHG-1' }),
  );
  for (const request of requests) await installation.start(request);
  const [delivered, redelivered] = requests.map(installation.handleOf) as [Handle, Handle];
  const first = await endingOf(delivered);
  await eventually('both failures', () => worker.logged('link-token not delivered').length === 2);
  await eventually('the delivery', () => worker.logged('link-token delivered').length === 1);
  await worker.kill();
  const survivor = await installation.startWorker();
  const { receipt } = await redeliver(redelivered, { sink: 'files' });
  await eventually('its line', () => survivor.logged('link-token delivered').length === 1);

  const logged = { ...receipt, accessListIps: accessListIps.slice(0, 20) };
  expect(survivor.logged('link-token delivered')).toEqual([expect.objectContaining(logged)]);
  const { location, deliveredAt: _, alsoTried: __, ...created } = logged;
  const facts = expect.objectContaining({ ...created, sink: 'blocked' }) as unknown;
  expect(worker.logged('link-token created')).toContainEqual(facts);
  expect(worker.logged('link-token not delivered')).toContainEqual(facts);

  // A kill can leave the first half of a line.
  const prepare = `cd ${installation.folder}; printf '{"msg":"link-token' > worker-3.log;`;
  const lines = (await sh(prepare + command.replace('2026-11', '20')))
    .flat()
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const places = [first.receipt?.location, location, undefined];
  for (const [i, { sourceOrgId }] of requests.entries()) {
    const ofPair = lines.filter((line) => line['sourceOrgId'] === sourceOrgId);
    expect(ofPair[0]).toMatchObject({ msg: 'link-token created', requestedBy: 'ada' });
    expect(ofPair.find(({ msg }) => msg === 'link-token delivered')?.['location']).toBe(places[i]);
  }
  await expect(sh(prepare + command.replace('2026-11', '1999-12'))).rejects.toThrow();
});

describe('the commands of the runbook and of the pages on keys', () => {
  const REMOVED = { removedAt: expect.any(String) };
  const commandsBelow = (heading: string) =>
    codeBlocks(sectionBelow(page('docs/runbook.md'), heading), 'sh');

  const [findKeys = '', revokeOrphans = '', findMaker = ''] = codeBlocks(
    page('docs/api-keys.md'),
    'sh',
  );
  /** Lets commands run two hours later: a key is no orphan in its first hour. */
  const later = Object.entries(wrongClock(2 * 3_600_000))
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join('');
  /** Ids of keys at the beginning of lines. */
  const idsIn = (lines: string[][]) =>
    lines.flatMap(([line = '']) => /^[\da-f]{24}(?= )/.exec(line) ?? []);

  it('find exactly the keys of unconfirmed tokens, and revoke them', async () => {
    const { atlas, installation, sh } = await createShell();
    // What Atlas creates is lost three times; then it rejects the request.
    atlas.faults([
      { on: 'linkTokens', status: 503, afterCreating: true, times: 3 },
      { on: 'linkTokens', status: 403 },
    ]);
    const run = await installation.start();
    await endingOf(run);
    await untilListed(`WorkflowId = '${run.workflowId}' AND CloseTime IS NOT NULL`, 1);
    const keyIds = atlas.createdTokens().map(({ apiKey }) => apiKey.id);
    const lines = await sh(later + findKeys);
    expect(idsIn(lines).sort()).toEqual(keyIds.toSorted());
    expect(lines.flat().join('\n')).toMatch(/ {2}orphan: near an attempt, /);
    const org = `org=${atlas.account.orgId}`;
    const { publicKey } = atlas.createdTokens()[0]?.apiKey ?? { publicKey: '' };
    const makers = findMaker.replace('abcdefgh', publicKey).replaceAll(/--m..Date \S+/g, '');
    expect((await sh(`${org}\n${makers}`)).flat().join('')).toMatch(
      new RegExp(`"remoteAddress": "127.*"targetPublicKey": "${publicKey}"`),
    );
    await sh(`${later}${org}\n${revokeOrphans}`);
    expect(atlas.createdTokens()).toMatchObject([REMOVED, REMOVED, REMOVED]);
    expect(idsIn(await sh(findKeys))).toEqual([]);
  });

  it('find and revoke a delivered token, and remove a link', async () => {
    const { atlas, installation, sh } = await createShell();
    const { orgId } = atlas.account;
    const run = await installation.start();
    const { receipt } = await endingOf(run);
    await untilListed(`WorkflowId = '${run.workflowId}' AND CloseTime IS NOT NULL`, 1);

    const [{ apiKey, accessListIps: [ipAddress] } = { apiKey: { id: '' }, accessListIps: [] }] =
      atlas.createdTokens();
    const accessList = `atlas organizations apiKeys accessLists list ${apiKey.id} --orgId ${orgId}`;
    expect(await sh(`${accessList} | jq -r '.results[].ipAddress'`)).toEqual([[ipAddress]]);
    const found = await sh(findKeys);
    expect(idsIn(found)).toEqual([apiKey.id]);
    expect(found.flat().join('\n')).toMatch(
      new RegExp(`delivered: token ${receipt?.deliveryId} of \\S+, in sink `),
    );
    const [revoke = ''] = codeBlocks(sectionBelow(page('docs/commands.md'), 'Revoke tokens'), 'sh');
    await sh(revoke);
    expect(atlas.createdTokens()).toMatchObject([REMOVED]);
    expect(idsIn(await sh(findKeys))).toEqual([]);

    await endingOf(await installation.start());
    const [removeLink = ''] = commandsBelow('Remove a link');
    expect(await sh(removeLink)).toEqual([['link deleted']]);
    expect(atlas.createdTokens()).toMatchObject([REMOVED, REMOVED]);
  });

  it('revoke orphans, and no key of a delivered token that is as old', async () => {
    const { atlas, installation, sh } = await createShell();
    atlas.faults([{ on: 'linkTokens', status: 503, afterCreating: true }]);
    const run = await installation.start();
    const { receipt } = await endingOf(run);
    await untilListed(`WorkflowId = '${run.workflowId}' AND CloseTime IS NOT NULL`, 1);
    await sh(`${later}org=${atlas.account.orgId}\n${revokeOrphans}`);
    const left = atlas.createdTokens().filter(({ removedAt }) => removedAt === null);
    expect(atlas.createdTokens()).toHaveLength(2);
    expect(left.map(({ apiKey }) => apiKey.publicKey)).toEqual([receipt?.publicApiKey]);
  });

  it('find the run of a token that leaked', async () => {
    const { atlas, installation, sh } = await createShell();
    const run = await installation.start();
    await endingOf(run);
    await untilListed(`WorkflowId = '${run.workflowId}' AND CloseTime IS NOT NULL`, 1);
    const [find = ''] = commandsBelow('A token leaked');
    const [{ linkToken } = { linkToken: '' }] = atlas.createdTokens();
    const lines = (await sh(find.replace('read -rs token', `token='${linkToken}'`))).flat();
    expect(lines).toHaveLength(1);
    expect(lines.join()).toContain(`delivered    ${shortName(run.workflowId)}`);
  });

  it('find what the record calls delivered, and terminate every open run', async () => {
    const { installation, sh } = await createShell();
    const [, terminate = ''] = commandsBelow('Temporal was restored from a backup');
    const [, find = ''] =
      /look for it in the record: `(grep .*)`/.exec(page('docs/runbook.md')) ?? [];
    await endingOf(await installation.start());
    await installation.workers[0]?.untilOutput(/link-token delivered/);
    const run = await installation.start(installation.newRequest({ sink: 'blocked' }));
    await untilStep(run, 'undelivered');
    const open = `WorkflowId = '${run.workflowId}' AND CloseTime IS NULL`;
    await untilListed(open, 1);
    // Other tests have runs in this namespace.
    const ofThisTest = terminate.replace(/ --query .*"/, ` --yes --query "${open}"`);
    expect(ofThisTest).not.toBe(terminate);
    const printed = await sh(`cp ${installation.folder}/worker-1.log .\n${ofThisTest}\n${find}`);
    expect(
      printed
        .flat()
        .join('\n')
        .match(/"msg":"link-token delivered"/g),
    ).toHaveLength(1);
    await eventually('the end', async () => (await run.describe()).status.name === 'TERMINATED');
  });

  it('list the runs of a schedule, and unpause only schedules that a failed run paused', async () => {
    const { installation, sh, temporal } = await createShell();
    const [unpause = ''] = commandsBelow('A schedule is paused');
    const request = installation.newRequest();
    const failing = await runEvery('1s', installation.taskQueue, {
      request: { ...request, sink: 'nowhere' },
    });
    const held = await runEvery('1000s', installation.taskQueue, { request });
    await held.pause('wave 3 waits');
    const [, look = ''] = codeBlocks(page('docs/schedules.md'), 'sh');
    const [, listRuns = ''] = look.split('\n');
    await eventually('a listed run', async () =>
      (await sh(`id='${failing.scheduleId}'; ${listRuns}`))
        .flat()
        .join('\n')
        .includes('prepareOnSchedule'),
    );
    await eventually('a listed pause', async () => {
      for await (const { scheduleId } of temporal.schedule.list({
        query: 'TemporalSchedulePaused = true',
      })) {
        if (scheduleId === failing.scheduleId) return true;
      }
      return false;
    });

    await sh(unpause);

    // It fails again.
    await eventually(
      'another run',
      async () => (await failing.describe()).info.numActionsTaken === 2,
    );
    expect((await held.describe()).state.paused).toBe(true);
  });

  it('rotate a key, and open a token that the former one sealed, of a run that was cancelled', async () => {
    const [rotate = '', openByHand = ''] = codeBlocks(page('docs/sealing-keys.md'), 'sh');
    const { atlas, installation, sh } = await createShell();
    const { folder, keysFile } = installation;
    const run = await installation.start(installation.newRequest({ sink: 'blocked' }));
    await untilStep(run, 'undelivered');
    await end(run, 'cancel');
    await sh(`cd ${folder}; ${rotate}`);
    await installation.workers[0]?.stop();
    await installation.startWorker();
    const later = await installation.start(installation.newRequest({ sink: 'blocked' }));
    await untilStep(later, 'undelivered');

    const [of, ofLater] = await Promise.all(
      [run, later].map(async (handle) => {
        const { runId } = await handle.describe();
        const findToken = openByHand
          .replace('<id>', handle.workflowId)
          .replace('<run id>', runId)
          // npm has no command for JOSE: this test does what the last line of the page does.
          .replace(/^jose .*$/m, '');
        const directory = `mkdir ${runId}; cd ${runId}; ln -s ${keysFile} .`;
        const [jwe = '', key = '{}'] = (
          await sh(`${directory}\n${findToken}cat token.jwe; jq -c . key.jwk`)
        ).flat();
        return { jwe, key: JSON.parse(key) as JWK };
      }),
    );
    expect(of?.key.kid).not.toBe(ofLater?.key.kid);
    for (const { jwe, key } of [of, ofLater].filter((found) => found !== undefined)) {
      const { plaintext } = await compactDecrypt(jwe, await importJWK(key));
      const { linkToken } = JSON.parse(new TextDecoder().decode(plaintext)) as {
        linkToken: string;
      };
      expect(atlas.createdTokens().map((token) => token.linkToken)).toContain(linkToken);
    }
  });
});
