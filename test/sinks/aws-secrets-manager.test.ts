import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { sinkErrorOfAws } from '../../src/sinks/aws-errors';
import { SinkRejectedError, SinkUnavailableError, type Delivery } from '../../src/sinks/sink';
import { newDelivery, newOrgId, successorOf } from './support/delivery';
import { makeSink } from './support/make-sink';
import { startProgram, type Program } from './support/program';
import { sinkTestTools } from './support/tools';

const REGION = 'eu-central-1';
let moto: Program;
let endpoint: string;
let client: SecretsManagerClient;

beforeAll(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'AKIACANARYCANARY';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'canary-aws-secret-access-key';
  const tools = sinkTestTools();
  moto = await startProgram(
    tools.moto.python,
    [`${tools.moto.path}/bin/moto_server`, '-H', '127.0.0.1', '-p', '0'],
    /Running on (http:\/\/127\.0\.0\.1:\d+)/,
    { PYTHONPATH: tools.moto.path },
  );
  endpoint = String(moto.ready[1]);
  client = new SecretsManagerClient({ region: REGION, endpoint });
}, 300_000);
afterAll(() => moto.kill());

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

it('keeps token and facts as JSON, in a version with the delivery id, tagged and encrypted with the key', async () => {
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

it('makes a new token current and keeps the one before as previous', async () => {
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

it('fills a secret that was made empty and tagged for it', async () => {
  const delivery = newDelivery({ sourceOrgId: null });
  const Name = `lm/${delivery.orgId}`;
  const Tags = [{ Key: 'live-migration-prep/orgId', Value: delivery.orgId }];
  await client.send(new CreateSecretCommand({ Name, Tags }));
  await (
    await aws()
  )(delivery);
  expect(await currentAt(Name)).toMatchObject({ VersionId: delivery.deliveryId });
});

it('rejects a secret of another hand, and says how to hand it over', async () => {
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
    /holds the token of other organizations: name \{orgId\} and \{sourceOrgId\} in secretName/,
  );
});

it('tries once and leaves the retries to Temporal', async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(500).end('{"__type":"InternalServiceError"}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const deliver = await aws({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  await expect(deliver(newDelivery())).rejects.toThrow(SinkUnavailableError);
  server.closeAllConnections();
  server.close();
  expect(asked).toBe(1);
});

it('gives up an attempt that gets no answer in time', async () => {
  const server = createServer(() => undefined);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const deliver = await aws({ endpoint: address, timeoutMs: 200 });
  await expect(deliver(newDelivery())).rejects.toThrow(SinkUnavailableError);
  server.closeAllConnections();
  server.close();
});

describe('sinkErrorOfAws', () => {
  it.each([
    ['AccessDeniedException', 400, SinkRejectedError],
    ['InvalidParameterException', 400, SinkRejectedError],
    // Moto takes a secret that is scheduled for deletion; AWS says this.
    ['InvalidRequestException', 400, SinkRejectedError],
    ['ThrottlingException', 400, SinkUnavailableError],
    ['ExpiredTokenException', 400, SinkUnavailableError],
    ['InternalServiceError', 500, SinkUnavailableError],
    ['CredentialsProviderError', undefined, SinkUnavailableError],
    ['TimeoutError', undefined, SinkUnavailableError],
  ])('judges %s (%s) as %p and quotes none of its words', (name, httpStatusCode, kind) => {
    const thrown = Object.assign(new Error('x-amz-security-token:canary'), {
      name,
      $metadata: { httpStatusCode },
    });
    const error = sinkErrorOfAws('secretsmanager:CreateSecret for secret a', thrown);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(/^secretsmanager:CreateSecret for secret a failed \(.*\): \w+ /);
    expect(error.message).not.toContain('canary');
    expect(error.cause).toBeUndefined();
  });
});
