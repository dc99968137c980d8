import { randomUUID } from 'node:crypto';
import v8 from 'node:v8';
import vm from 'node:vm';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { toSinkError } from '../../../src/sinks/aws-secrets-manager/errors';
import { SinkRejectedError, SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { VERSION } from '../../../src/version';
import { newOrgId } from '../../support/ids';
import { serveHttp } from '../../support/servers';
import { newDelivery, successorOf } from '../../support/sinks/delivery';
import { blocksIn, pageOf } from '../../support/sinks/docs';
import { makeSink } from '../../support/sinks/make-sink';
import { startMoto, type Moto } from '../../support/sinks/moto';
import { sinkTestTools } from '../../support/sinks/tools';

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;

const REGION = 'eu-central-1';
let moto: Moto;
let endpoint: string;
let client: SecretsManagerClient;

beforeAll(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'AKIACANARYCANARY';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'canary-aws-secret-access-key';
  moto = await startMoto(sinkTestTools().moto);
  endpoint = `http://127.0.0.1:${moto.port}`;
  client = new SecretsManagerClient({ region: REGION, endpoint });
}, 300_000);
afterAll(() => moto.stop());

async function aws(overrides: object = {}) {
  const config = {
    type: 'awsSecretsManager',
    region: REGION,
    secretName: 'lm/{orgId}',
    endpoint,
    allowHttp: true,
  };
  const sink = await makeSink({ ...config, ...overrides });
  return (delivery: Delivery) => sink.deliver(delivery, new AbortController().signal);
}

const describeSecret = (SecretId: string) => client.send(new DescribeSecretCommand({ SecretId }));
async function tagsAt(secretId: string): Promise<Record<string, string | undefined>> {
  const { Tags = [] } = await describeSecret(secretId);
  return Object.fromEntries(Tags.map(({ Key = '', Value }) => [Key, Value]));
}

async function currentAt(SecretId: string): Promise<unknown> {
  const { SecretString, VersionId } = await client.send(new GetSecretValueCommand({ SecretId }));
  return { VersionId, value: JSON.parse(SecretString ?? '') as unknown };
}

it('stores token and facts as JSON, in a version with the delivery id, tagged and encrypted with the key', async () => {
  const delivery = newDelivery();
  const kmsKeyId = `arn:aws:kms:${REGION}:123456789012:key/${randomUUID()}`;
  const location = await (await aws({ kmsKeyId, tags: { team: 'platform' } }))(delivery);
  const name = `lm/${delivery.orgId}`;
  const { token, ...facts } = delivery;
  expect(await currentAt(name)).toEqual({
    VersionId: delivery.deliveryId,
    value: { linkToken: token, ...facts },
  });
  expect(await tagsAt(name)).toEqual({
    team: 'platform',
    'live-migration-prep/orgId': delivery.orgId,
    'live-migration-prep/sourceOrgId': delivery.sourceOrgId,
  });
  expect((await describeSecret(name)).KmsKeyId).toBe(kmsKeyId);
  expect(location).toBe(`version ${delivery.deliveryId} of secret ${name} in AWS Secrets Manager, ${REGION}`);
});

it('makes a new token current and keeps the former as previous', async () => {
  const former = newDelivery();
  const next = successorOf(former);
  const deliver = await aws();
  await deliver(former);
  await deliver(next);
  expect((await describeSecret(`lm/${former.orgId}`)).VersionIdsToStages).toEqual({
    [former.deliveryId]: ['AWSPREVIOUS'],
    [next.deliveryId]: ['AWSCURRENT'],
  });
  await deliver(former);
  expect(await currentAt(`lm/${former.orgId}`)).toMatchObject({ VersionId: next.deliveryId });
});

it('stores any text of a requester whole', async () => {
  const requestedBy = `aws:Zoë\n(\u{1FAE9}) ${'漢'.repeat(180)}`;
  const delivery = newDelivery({ requestedBy, changeReference: '' });
  const deliver = await aws();
  await deliver(delivery);
  expect(await currentAt(`lm/${delivery.orgId}`)).toMatchObject({
    value: { requestedBy, changeReference: '' },
  });
});

it('needs exactly the actions that the policy of docs/sinks permits, on the secrets that it permits', async () => {
  const requests: string[] = [];
  const proxy = await serveHttp(({ headers, text }, response) => {
    const action = String(headers['x-amz-target']).replace('.', ':');
    const { Name, SecretId, Tags } = JSON.parse(text) as { Name?: string; SecretId?: string; Tags?: unknown };
    requests.push(`${action} ${Name ?? SecretId}`);
    // AWS requires this permission, too, where CreateSecret has tags.
    if (Tags) requests.push(`secretsmanager:TagResource ${Name}`);
    const signed = Object.entries(headers).filter(([name]) => /^(x-amz|auth|content-type)/.test(name));
    const init = { method: 'POST', headers: signed as [string, string][], body: text };
    void fetch(endpoint, init).then(async (passedOn) => {
      response.writeHead(passedOn.status, { 'content-type': 'application/json' }).end(await passedOn.text());
    });
  });
  const former = newDelivery();
  const next = successorOf(former);
  try {
    const deliver = await aws({ endpoint: proxy.url, secretName: 'live-migration/{orgId}' });
    for (const delivery of [former, next, former]) await deliver(delivery);
  } finally {
    await proxy.close();
  }
  const [policy = ''] = blocksIn(pageOf('awsSecretsManager'), 'json');
  const { Statement } = JSON.parse(policy) as { Statement: { Action: string[]; Resource: string }[] };
  const [onSecrets] = Statement;
  const prefix = onSecrets?.Resource.replace(/^.*:secret:/, '').replace(/\*$/, '');
  const permitted = onSecrets?.Action.map((action) => `${action} ${prefix}${former.orgId}`);
  expect([...new Set(requests)].sort()).toEqual(permitted?.sort());
});

it('writes into a secret that was created empty and tagged for it', async () => {
  const delivery = newDelivery({ sourceOrgId: null });
  const Name = `lm/${delivery.orgId}`;
  const Tags = [{ Key: 'live-migration-prep/orgId', Value: delivery.orgId }];
  await client.send(new CreateSecretCommand({ Name, Tags }));
  const deliver = await aws();
  await deliver(delivery);
  expect(await currentAt(Name)).toMatchObject({ VersionId: delivery.deliveryId });
});

it('rejects a secret that it did not create, and says how to let it write there', async () => {
  const delivery = newDelivery({ sourceOrgId: null });
  const Name = `lm/${delivery.orgId}`;
  await client.send(new CreateSecretCommand({ Name, SecretString: '{}' }));
  const failing = (await aws())(delivery);
  await expect(failing).rejects.toThrow(SinkRejectedError);
  await expect(failing).rejects.toThrow(`tag the secret live-migration-prep/orgId=${delivery.orgId} to let`);
});

it('rejects the secret of another source organization', async () => {
  const delivery = newDelivery();
  const deliver = await aws();
  await deliver(delivery);
  await expect(deliver(newDelivery({ orgId: delivery.orgId, sourceOrgId: newOrgId() }))).rejects.toThrow(
    /holds the token of other organizations: put \{orgId\} and \{sourceOrgId\} into secretName/,
  );
});

it('sends one request, which says who calls, and leaves the retries to Temporal', async () => {
  const userAgents: unknown[] = [];
  const server = await serveHttp((request, response) => {
    userAgents.push(request.headers['user-agent']);
    response.writeHead(500).end('{"__type":"InternalServiceError"}');
  });
  const deliver = await aws({ endpoint: server.url });
  await expect(deliver(newDelivery())).rejects.toThrow(SinkUnavailableError);
  await server.close();
  expect(userAgents).toEqual([expect.stringContaining(`live-migration-prep/${VERSION}`)]);
});

it('fails an attempt that gets no response in time, whatever the garbage collector removes meanwhile', async () => {
  const server = await serveHttp(() => undefined);
  const deliver = await aws({ endpoint: server.url, timeoutMs: 500 });
  const collecting = setInterval(collectGarbage, 20);
  try {
    await expect(deliver(newDelivery())).rejects.toThrow(SinkUnavailableError);
  } finally {
    clearInterval(collecting);
    await server.close();
  }
});

describe('toSinkError', () => {
  it.each([
    ['AccessDeniedException', 400, SinkRejectedError],
    ['InvalidParameterException', 400, SinkRejectedError],
    // Moto accepts a write to a secret that is scheduled for deletion; AWS says this.
    ['InvalidRequestException', 400, SinkRejectedError],
    ['ThrottlingException', 400, SinkUnavailableError],
    ['ExpiredTokenException', 400, SinkUnavailableError],
    ['InternalServiceError', 500, SinkUnavailableError],
    ['CredentialsProviderError', undefined, SinkUnavailableError],
    ['TimeoutError', undefined, SinkUnavailableError],
  ])('classifies %s (%s) as %p and does not quote its message', (name, httpStatusCode, kind) => {
    const thrown = Object.assign(new Error('x-amz-security-token:canary'), {
      name,
      $metadata: { httpStatusCode },
    });
    const error = toSinkError('secretsmanager:CreateSecret for secret a', thrown);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(/^secretsmanager:CreateSecret for secret a failed \(.*\): \w+ /);
    expect(error.message).not.toContain('canary');
    expect(error.cause).toBeUndefined();
  });

  it.each([
    { code: 'ECONNREFUSED' },
    { code: 'ENOTFOUND' },
    { name: 'TimeoutError', code: 'ECONNRESET' },
    {},
  ])('%j without a response can succeed later', (thrown) => {
    const error = Object.assign(new Error(), { $metadata: { attempts: 1 } }, thrown);
    expect(toSinkError('secretsmanager:CreateSecret for secret a', error)).toBeInstanceOf(
      SinkUnavailableError,
    );
  });
});

it('sends nothing to an address that the environment names, and not the configuration', async () => {
  let requests = 0;
  const other = await serveHttp((_request, response) => {
    requests += 1;
    response.writeHead(500).end();
  });
  process.env['AWS_ENDPOINT_URL'] = other.url;
  try {
    const deliver = await aws({ endpoint: undefined, timeoutMs: 1000 });
    await expect(deliver(newDelivery())).rejects.toBeInstanceOf(SinkUnavailableError);
  } finally {
    delete process.env['AWS_ENDPOINT_URL'];
    await other.close();
  }
  expect(requests).toBe(0);
});

it.each(['Bad_CANARY-token', 'x'.repeat(65)])(
  'names the status alone when the server calls its error %s',
  (name) => {
    const { message } = toSinkError('an action', { name, $metadata: { httpStatusCode: 400 } });
    expect(message).toBe('an action failed (400): AWS rejected the request; see its API reference');
  },
);
