import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  TagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import { toSinkError } from '../../../src/sinks/aws-secrets-manager/errors';
import { VERSION } from '../../../src/version';
import { newOrgId } from '../../support/ids';
import { serveHttp } from '../../support/servers';
import { newDelivery, successorOf } from '../../support/sinks/delivery';
import { blocksIn, pageOf } from '../../support/sinks/docs';
import { awsSecretsManagerFixture } from '../../support/sinks/fixtures/aws-secrets-manager';
import { makeDelivering } from '../../support/sinks/make-sink';
import { testContract } from './contract';

const fixture = testContract(awsSecretsManagerFixture);

const REGION = 'eu-central-1';

function aws(overrides: object = {}) {
  const { endpoint } = fixture();
  const config = { type: 'awsSecretsManager', region: REGION, secretName: 'lm/{orgId}', endpoint };
  return makeDelivering({ ...config, allowHttp: true, ...overrides });
}

const describeSecret = (SecretId: string) => fixture().client.send(new DescribeSecretCommand({ SecretId }));

async function currentAt(SecretId: string): Promise<unknown> {
  const { SecretString, VersionId } = await fixture().client.send(new GetSecretValueCommand({ SecretId }));
  return { VersionId, value: JSON.parse(SecretString ?? '') as unknown };
}

it('stores token and facts as JSON, in a version with the delivery id, tagged and encrypted with the key', async () => {
  const delivery = newDelivery({
    requestedBy: `aws:Zoë\n(\u{1FAE9}) ${'漢'.repeat(180)}`,
    changeReference: '',
  });
  const kmsKeyId = `arn:aws:kms:${REGION}:123456789012:key/${randomUUID()}`;
  const location = await (await aws({ kmsKeyId, tags: { team: 'platform' } }))(delivery);
  const name = `lm/${delivery.orgId}`;
  const { token, ...facts } = delivery;
  expect(await currentAt(name)).toEqual({
    VersionId: delivery.deliveryId,
    value: { linkToken: token, ...facts },
  });
  const { Tags = [], KmsKeyId } = await describeSecret(name);
  expect(Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]))).toEqual({
    team: 'platform',
    'live-migration-prep/orgId': delivery.orgId,
    'live-migration-prep/sourceOrgId': delivery.sourceOrgId,
  });
  expect(KmsKeyId).toBe(kmsKeyId);
  expect(location).toBe(`version ${delivery.deliveryId} of secret ${name} in AWS Secrets Manager, ${REGION}`);
});

it('makes a new token current with the actions alone that the policy of docs/sinks permits, on its secrets', async () => {
  const requests: string[] = [];
  const proxy = await serveHttp(({ headers, text }, response) => {
    const action = String(headers['x-amz-target']).replace('.', ':');
    const { Name, SecretId, Tags } = JSON.parse(text) as { Name?: string; SecretId?: string; Tags?: unknown };
    requests.push(`${action} ${Name ?? SecretId}`);
    // AWS requires this permission, too, where CreateSecret has tags.
    if (Tags) requests.push(`secretsmanager:TagResource ${Name}`);
    const signed = Object.entries(headers).filter(([name]) => /^(x-amz|auth|content-type)/.test(name));
    const init = { method: 'POST', headers: signed as [string, string][], body: text };
    void fetch(fixture().endpoint, init).then(async (passedOn) => {
      response.writeHead(passedOn.status, { 'content-type': 'application/json' }).end(await passedOn.text());
    });
  });
  const former = newDelivery();
  const next = successorOf(former);
  const deliver = await aws({ endpoint: proxy.url, secretName: 'live-migration/{orgId}' });
  for (const delivery of [former, next, former]) await deliver(delivery);
  expect((await describeSecret(`live-migration/${former.orgId}`)).VersionIdsToStages).toEqual({
    [former.deliveryId]: ['AWSPREVIOUS'],
    [next.deliveryId]: ['AWSCURRENT'],
  });
  const [policy = ''] = blocksIn(pageOf('awsSecretsManager'), 'json');
  const { Statement } = JSON.parse(policy) as { Statement: { Action: string[]; Resource: string }[] };
  const [onSecrets] = Statement;
  const prefix = onSecrets?.Resource.replace(/^.*:secret:/, '').replace(/\*$/, '');
  const permitted = onSecrets?.Action.map((action) => `${action} ${prefix}${former.orgId}`);
  expect([...new Set(requests)].sort()).toEqual(permitted?.sort());
});

it('rejects a secret that it did not create, and writes into it once it is tagged as the error says', async () => {
  const delivery = newDelivery({ sourceOrgId: null });
  const [SecretId, Key] = [`lm/${delivery.orgId}`, 'live-migration-prep/orgId'];
  await fixture().client.send(new CreateSecretCommand({ Name: SecretId, SecretString: '{}' }));
  const deliver = await aws();
  await expect(deliver(delivery)).rejects.toMatchObject({
    name: 'SinkRejectedError',
    message: expect.stringContaining(`tag the secret ${Key}=${delivery.orgId} to let`),
  });
  const Tags = [{ Key, Value: delivery.orgId }];
  await fixture().client.send(new TagResourceCommand({ SecretId, Tags }));
  await deliver(delivery);
  expect(await currentAt(SecretId)).toMatchObject({ VersionId: delivery.deliveryId });
});

it('rejects the secret of another source organization', async () => {
  const delivery = newDelivery();
  const deliver = await aws();
  await deliver(delivery);
  await expect(deliver(newDelivery({ orgId: delivery.orgId, sourceOrgId: newOrgId() }))).rejects.toThrow(
    /holds the token of other organizations: put \{orgId\} and \{sourceOrgId\} into secretName/,
  );
});

it.each<[how: string, overrides: object, respond: (response: ServerResponse) => void]>([
  ['fails', {}, (response) => response.writeHead(500).end('{"__type":"InternalServiceError"}')],
  ['does not respond in time', { timeoutMs: 3000 }, () => undefined],
])(
  'sends one request, which says who calls, when AWS %s: Temporal tries again',
  async (_how, overrides, respond) => {
    const userAgents: unknown[] = [];
    const server = await serveHttp(({ headers }, response) => {
      userAgents.push(headers['user-agent']);
      respond(response);
    });
    const failing = (await aws({ endpoint: server.url, ...overrides }))(newDelivery());
    await expect(failing).rejects.toMatchObject({ name: 'SinkUnavailableError' });
    expect(userAgents).toEqual([expect.stringContaining(`live-migration-prep/${VERSION}`)]);
  },
);

it('sends nothing to an address that the environment names, and not the configuration', async () => {
  let requests = 0;
  const other = await serveHttp((_request, response) => {
    requests += 1;
    response.writeHead(500).end();
  });
  process.env['AWS_ENDPOINT_URL'] = other.url;
  // AWS has no such region, so that no request leaves this machine.
  const deliver = await aws({ endpoint: undefined, region: 'no-region-1' });
  const failing = deliver(newDelivery()).finally(() => delete process.env['AWS_ENDPOINT_URL']);
  await expect(failing).rejects.toMatchObject({ name: 'SinkUnavailableError' });
  expect(requests).toBe(0);
});

it.each<[error: { name?: string; code?: string }, status: number | undefined, kind: string]>([
  [{ name: 'AccessDeniedException' }, 400, 'SinkRejectedError'],
  // Moto accepts a write to a secret that is scheduled for deletion; AWS says this.
  [{ name: 'InvalidRequestException' }, 400, 'SinkRejectedError'],
  [{ name: 'ThrottlingException' }, 400, 'SinkUnavailableError'],
  [{ name: 'ExpiredTokenException' }, 400, 'SinkUnavailableError'],
  [{ name: 'InternalServiceError' }, 500, 'SinkUnavailableError'],
  [{ name: 'CredentialsProviderError' }, undefined, 'SinkUnavailableError'],
  [{ code: 'ENOTFOUND' }, undefined, 'SinkUnavailableError'],
  [{ name: 'Bad_canary' }, 400, 'SinkRejectedError'],
  [{ name: 'canary'.repeat(11) }, 400, 'SinkRejectedError'],
])('classifies %j with status %p as %s, and quotes no message or odd name', (error, httpStatusCode, name) => {
  const thrown = Object.assign(new Error('x-amz-security-token:canary'), error, {
    $metadata: { httpStatusCode },
  });
  const classified = toSinkError('secretsmanager:CreateSecret for secret a', thrown);
  expect(classified).toMatchObject({ name });
  expect(classified.cause).toBeUndefined();
  expect(classified.message).toMatch(/^secretsmanager:CreateSecret for secret a failed( \(.*\))?: \w+ /);
  expect(classified.message).not.toContain('canary');
});
