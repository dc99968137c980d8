import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { startChildProcess } from '../../../dev/temporal/child-process';
import { callError } from '../../../src/sinks/aws-secrets-manager/aws-errors';
import { VERSION } from '../../../src/version';
import { cleanUpLater, newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { codeBlocks, page } from '../../support/markdown';
import { serveHttp } from '../../support/servers';
import { makeSink, newDelivery, sinkError, successorOf, type Env } from '../../support/sinks';
import { startTcpProxy } from '../../support/tcp-proxy';
import { toolPath } from '../../support/tools';
import { testContract, testRun } from './contract';

const REGION = 'eu-central-1';
/** The SDK's default chain finds it in the environment. */
const CREDENTIAL = {
  AWS_ACCESS_KEY_ID: 'AKIACANARYCANARY',
  AWS_SECRET_ACCESS_KEY: 'canary-aws-secret-access-key',
};

let client: SecretsManager;
const describeSecret = (SecretId: string) => client.describeSecret({ SecretId });

/** Reads a version of a secret, the current one by default. */
async function read(SecretId: string, id?: string) {
  const { VersionId, SecretString = '' } = await client.getSecretValue({ SecretId, VersionId: id });
  return { VersionId, value: JSON.parse(SecretString) as { linkToken: string } };
}

/** Moto, which emulates AWS Secrets Manager. */
const fixture = testContract('awsSecretsManager', async () => {
  const program = toolPath('moto');
  const server = startChildProcess(program, ['-H', '127.0.0.1', '-p', '0'], {
    env: { ...process.env, PYTHONPATH: path.resolve(program, '../../moto') },
    logFile: path.join(newFolder(), 'moto.log'),
  });
  cleanUpLater(() => server.end('SIGKILL'));
  const [, url = ''] = await server.untilOutput(/Running on (http:\/\/127\.0\.0\.1:\d+)/);
  Object.assign(process.env, CREDENTIAL);
  client = new SecretsManager({ region: REGION, endpoint: url });
  cleanUpLater(() => client.destroy());
  const proxy = await startTcpProxy(new URL(url).host);
  return {
    keepsFormer: true,
    configFor: () => ({
      type: 'awsSecretsManager',
      region: REGION,
      secretName: 'live-migration/{orgId}/{sourceOrgId}',
      endpoint: `http://${proxy.address}`,
      allowHttp: true,
    }),
    env: CREDENTIAL,
    canaries: [CREDENTIAL.AWS_SECRET_ACCESS_KEY],
    locationOf: ({ orgId, sourceOrgId, deliveryId }) =>
      `version ${deliveryId} of secret live-migration/${orgId}/${sourceOrgId}` +
      ` in AWS Secrets Manager, ${REGION}`,
    async held({ orgId, sourceOrgId }) {
      const SecretId = `live-migration/${orgId}/${sourceOrgId}`;
      const { Versions = [] } = await client.listSecretVersionIds({
        SecretId,
        IncludeDeprecated: true,
      });
      const versions = await Promise.all(
        Versions.map(({ VersionId }) => read(SecretId, VersionId)),
      );
      return versions.map(({ value }) => value.linkToken);
    },
    refuse: ({ orgId, sourceOrgId }) =>
      client.createSecret({ Name: `live-migration/${orgId}/${sourceOrgId}`, SecretString: '{}' }),
    proxy,
    write: /secretsmanager\.(CreateSecret|PutSecretValue)/i,
  };
});
testRun('awsSecretsManager');

const aws = (overrides: object = {}) => makeSink({ ...fixture().configFor(), ...overrides });

it('stores token and facts as JSON in a tagged and encrypted secret', async () => {
  const delivery = newDelivery({
    requestedBy: `aws:Zoë\n\u0000(\u{1FAE9}) ${'漢'.repeat(180)}`,
    changeReference: '',
  });
  const { orgId, sourceOrgId, deliveryId: VersionId } = delivery;
  const kmsKeyId = `arn:aws:kms:${REGION}:123456789012:key/${randomUUID()}`;
  const sink = await aws({ kmsKeyId, tags: { team: 'platform' } });
  await sink.deliver(delivery);
  const name = `live-migration/${orgId}/${sourceOrgId}`;
  expect(await read(name)).toEqual({ VersionId, value: delivery });
  const { Tags = [], KmsKeyId } = await describeSecret(name);
  expect(Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]))).toEqual({
    team: 'platform',
    'live-migration-prep/orgId': orgId,
    'live-migration-prep/sourceOrgId': sourceOrgId,
  });
  expect(KmsKeyId).toBe(kmsKeyId);
});

it('makes a new token current with exactly the actions that docs/sinks permits', async () => {
  const former = newDelivery();
  const next = successorOf(former);
  const before = fixture().proxy.requests.length;
  const { deliver } = await aws();
  for (const delivery of [former, next, former]) await deliver(delivery);
  const stages = await describeSecret(`live-migration/${former.orgId}/${former.sourceOrgId}`);
  expect(stages.VersionIdsToStages).toEqual({
    [former.deliveryId]: ['AWSPREVIOUS'],
    [next.deliveryId]: ['AWSCURRENT'],
  });
  const traffic = fixture().proxy.requests.slice(before).join('');
  const actions = [...traffic.matchAll(/x-amz-target: (secretsmanager)\.(\w+)/gi)].map(
    ([, service, action]) => `${service}:${action}`,
  );
  // AWS requires this permission, too, where CreateSecret has tags.
  if (traffic.includes('"Tags":')) actions.push('secretsmanager:TagResource');
  const [policy = ''] = codeBlocks(page('docs/sinks/aws-secrets-manager.md'), 'json');
  const { Statement } = JSON.parse(policy) as {
    Statement: [{ Action: string[]; Resource: string }];
  };
  expect(Statement[0].Resource).toMatch(/:secret:live-migration\/\*$/);
  expect([...new Set(actions)].sort()).toEqual(Statement[0].Action.sort());
});

it('rejects a secret of someone else until it has the tag that the error names', async () => {
  const delivery = newDelivery({ sourceOrgId: null });
  const [SecretId, Key] = [`lm/${delivery.orgId}`, 'live-migration-prep/orgId'];
  await client.createSecret({ Name: SecretId, SecretString: '{}' });
  const { deliver } = await aws({ secretName: 'lm/{orgId}' });
  const message = `tag the secret ${Key}=${delivery.orgId} to let`;
  await expect(deliver(delivery)).rejects.toMatchObject(sinkError('Rejected', message));
  await client.tagResource({ SecretId, Tags: [{ Key, Value: delivery.orgId }] });
  await deliver(delivery);
  expect(await read(SecretId)).toMatchObject({ VersionId: delivery.deliveryId });
});

it('accepts again a token that it has, though somebody removed its tags', async () => {
  const former = newDelivery({ sourceOrgId: null });
  const next = successorOf(former);
  const { deliver } = await aws({ secretName: 'lm/{orgId}' });
  for (const delivery of [former, next]) await deliver(delivery);
  const TagKeys = ['live-migration-prep/orgId'];
  await client.untagResource({ SecretId: `lm/${former.orgId}`, TagKeys });
  // With another fact, as from another release, so that AWS does not ignore the repetition itself.
  await deliver({ ...next, requestedBy: 'another' });
  await expect(deliver(successorOf(next))).rejects.toThrow(/was not created by this sink/);
});

it('rejects the secret of another source organization, also for none', async () => {
  const delivery = newDelivery();
  const { deliver } = await aws({ secretName: 'lm/{orgId}' });
  await deliver(delivery);
  for (const sourceOrgId of [newOrgId(), null]) {
    await expect(deliver({ ...successorOf(delivery), sourceOrgId })).rejects.toThrow(
      /holds the token of other organizations: put \{orgId\} and \{sourceOrgId\} into secretName/,
    );
  }
});

it.each<
  [how: string, overrides: object, respond: (response: ServerResponse) => void, message: string]
>([
  [
    'fails',
    {},
    (response) => response.writeHead(500).end('{"__type":"InternalServiceError"}'),
    'failed (500 InternalServiceError): AWS cannot serve the request now',
  ],
  [
    'does not respond in time',
    { timeoutMs: 3000 },
    () => undefined,
    'failed (no response within 3000 ms): check that the worker can reach AWS and',
  ],
])(
  'sends one request, which names this product, when AWS %s',
  async (_how, overrides, respond, message) => {
    const userAgents: unknown[] = [];
    const server = await serveHttp(({ headers }, response) => {
      userAgents.push(headers['user-agent']);
      respond(response);
    });
    const { deliver } = await aws({ endpoint: server.url, ...overrides });
    await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Unavailable', message));
    expect(userAgents).toEqual([expect.stringContaining(`live-migration-prep/${VERSION}`)]);
  },
);

/** Runs work while the SDK's default chain finds these variables instead of the credential. */
async function withVariables<T>(variables: Env, work: () => Promise<T>): Promise<T> {
  const before = process.env;
  const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, ...others } = before;
  process.env = { ...others, ...variables };
  try {
    return await work();
  } finally {
    process.env = before;
  }
}

/** Starts an STS, and returns the variables of a web identity whose role it grants. */
async function startSts(respond: (response: ServerResponse) => void): Promise<Env> {
  const { url } = await serveHttp((_request, response) => respond(response));
  const tokenFile = path.join(newFolder(), 'web-identity-token');
  writeFileSync(tokenFile, 'canary-web-identity-token');
  return {
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/live-migration-prep',
    AWS_ENDPOINT_URL_STS: url,
  };
}

const ASSUMED_ROLE =
  '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
  '<AssumeRoleWithWebIdentityResult><Credentials>' +
  '<AccessKeyId>AKIACANARYCANARY</AccessKeyId><SecretAccessKey>canary</SecretAccessKey>' +
  '<SessionToken>canary</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>' +
  '</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>';

const NO_CREDENTIALS_IN_TIME = /no response within 1000 ms\): .* raise timeoutMs$/;

it.each<[what: string, respond: (response: ServerResponse) => void]>([
  ['nothing', () => undefined],
  ['half a response', (response) => response.writeHead(200).write(ASSUMED_ROLE.slice(0, 100))],
])('delivers in a later attempt when STS sends %s once', async (_what, respond) => {
  let requests = 0;
  const variables = await startSts((response) => {
    requests += 1;
    if (requests === 1) respond(response);
    else response.writeHead(200, { 'content-type': 'text/xml' }).end(ASSUMED_ROLE);
  });
  const delivery = newDelivery();
  const { deliver } = await aws({ timeoutMs: 1000 });
  await withVariables(variables, async () => {
    await expect(deliver(delivery)).rejects.toMatchObject(
      sinkError('Unavailable', NO_CREDENTIALS_IN_TIME),
    );
    await eventually('a delivery', () => deliver(delivery).catch(() => null));
  });
  expect(await fixture().held(delivery)).toEqual([delivery.linkToken]);
});

it.each([
  [403, 'AccessDenied'],
  [400, 'InvalidIdentityToken'],
])('waits while STS refuses the role of a web identity with %i %s', async (status, code) => {
  const variables = await startSts((response) => {
    const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>canary</Message></Error>`;
    response.writeHead(status, { 'content-type': 'text/xml' });
    response.end(`<ErrorResponse>${error}<RequestId>1</RequestId></ErrorResponse>`);
  });
  const { deliver } = await aws();
  const failure = withVariables(variables, () => deliver(newDelivery()));
  const remedy = 'check the role, its trust policy and its identity provider';
  await expect(failure).rejects.toMatchObject(sinkError('Unavailable', remedy));
});

it('names the actions on the KMS key when AWS denies access', async () => {
  const body = { __type: 'AccessDeniedException', Message: 'Access to KMS is not allowed' };
  const { url } = await serveHttp((_request, response) => {
    response.writeHead(400).end(JSON.stringify(body));
  });
  const { deliver } = await aws({ endpoint: url });
  const remedy =
    'permit the worker this action on the secret, ' +
    'and kms:GenerateDataKey and kms:Decrypt on its KMS key';
  await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected', remedy));
});

it.each([
  ['no content', 204, ''],
  ['an empty text', 200, ''],
  ['an empty object', 200, '{}'],
  ['another object', 200, '{"status":"ok"}'],
])('rejects %s from a server that is not AWS', async (_what, status, text) => {
  const { url } = await serveHttp((_request, response) => response.writeHead(status).end(text));
  const { deliver } = await aws({ endpoint: url });
  await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected'));
});

it('ends an attempt in time, or at once when cancelled, while a credential_process hangs', async () => {
  const folder = newFolder();
  const hang = path.join(folder, 'hang');
  const config = path.join(folder, 'config');
  writeFileSync(hang, '');
  const credentials = '{"Version":1,"AccessKeyId":"AKIACANARYCANARY","SecretAccessKey":"canary"}';
  writeFileSync(path.join(folder, 'credentials.json'), credentials);
  const program = `while [ -e ${hang} ]; do sleep 0.1; done; cat ${folder}/credentials.json`;
  writeFileSync(config, `[default]\ncredential_process = ${program}\n`);
  const delivery = newDelivery();
  const [hasty, patient] = [await aws({ timeoutMs: 1000 }), await aws({ timeoutMs: 60_000 })];
  await withVariables({ AWS_CONFIG_FILE: config }, async () => {
    await expect(hasty.deliver(delivery)).rejects.toMatchObject(
      sinkError('Unavailable', NO_CREDENTIALS_IN_TIME),
    );
    const reason = new Error('the run was cancelled');
    const controller = new AbortController();
    const delivering = patient.deliver(delivery, controller.signal);
    const startMs = performance.now();
    controller.abort(reason);
    await expect(delivering).rejects.toBe(reason);
    expect(performance.now() - startMs).toBeLessThan(60_000);
    rmSync(hang);
    await eventually('a delivery', () => hasty.deliver(delivery).catch(() => null));
  });
  expect(await fixture().held(delivery)).toEqual([delivery.linkToken]);
});

it('sends nothing to an address that only the environment names', async () => {
  const before = fixture().proxy.requests.length;
  process.env['AWS_ENDPOINT_URL'] = `http://${fixture().proxy.address}`;
  // AWS has no such region, so that no request leaves this machine.
  const { deliver } = await aws({ endpoint: undefined, region: 'no-region-1' });
  const failing = deliver(newDelivery()).finally(() => delete process.env['AWS_ENDPOINT_URL']);
  await expect(failing).rejects.toMatchObject(sinkError('Unavailable'));
  expect(fixture().proxy.requests).toHaveLength(before);
});

it.each<[error: string, kind: 'Rejected' | 'Unavailable', status?: number]>([
  ['AccessDeniedException', 'Rejected'],
  // Moto accepts a write to a secret that is scheduled for deletion; AWS says this.
  ['InvalidRequestException', 'Rejected'],
  ['ThrottlingException', 'Unavailable'],
  ['ExpiredTokenException', 'Unavailable'],
  ['UnrecognizedClientException', 'Unavailable'],
  ['RequestExpired', 'Unavailable'],
  ['IDPRejectedClaimException', 'Unavailable', 403],
  ['EncryptionFailure', 'Unavailable'],
  ['InternalServiceError', 'Unavailable', 500],
  ['UnknownError', 'Unavailable', 408],
  ['UnknownError', 'Unavailable', 425],
  ['CredentialsProviderError', 'Unavailable', 0],
  ['ENOTFOUND', 'Unavailable', 0],
  ['Bad_canary', 'Rejected'],
  ['canary'.repeat(11), 'Rejected'],
])('%s is Sink%s, without its message or an odd name', (error, kind, status = 400) => {
  const properties = error === 'ENOTFOUND' ? { code: error } : { name: error };
  const $metadata = { httpStatusCode: status || undefined };
  const thrown = Object.assign(new Error('x-amz-security-token:canary'), properties, {
    $metadata,
  });
  const classified = callError('secretsmanager:CreateSecret for secret a', thrown, 30_000);
  expect(classified).toMatchObject(sinkError(kind));
  expect(classified.cause).toBeUndefined();
  expect(classified.message).toMatch(
    /^secretsmanager:CreateSecret for secret a failed( \(.*\))?: \w+ /,
  );
  expect(classified.message).not.toContain('canary');
});

it('says how to trust a certificate that the worker does not know', () => {
  const thrown = { name: 'Error', code: 'SELF_SIGNED_CERT_IN_CHAIN', $metadata: {} };
  const error = callError('secretsmanager:CreateSecret for secret a', thrown, 30_000);
  const message =
    'failed (SELF_SIGNED_CERT_IN_CHAIN): the TLS certificate of AWS is not trusted;' +
    ' check endpoint, or add its CA with NODE_EXTRA_CA_CERTS and restart the workers';
  expect(error).toMatchObject(sinkError('Unavailable', message));
});

it('the error of a lost connection, a timeout to the SDK, does not name timeoutMs', () => {
  const thrown = { name: 'TimeoutError', code: 'ECONNRESET', $metadata: {} };
  const { message } = callError('secretsmanager:CreateSecret for secret a', thrown, 30_000);
  expect(message).toMatch(
    / failed \(ECONNRESET\): no response; check that the worker can reach AWS$/,
  );
});
