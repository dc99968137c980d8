import { randomBytes, randomUUID } from 'node:crypto';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { Pool } from 'undici';
import { writeFileAtomically } from '../../src/files';
import { visibilityQuery } from '../../src/temporal/list-runs';
import { DEFAULTS } from '../atlas-emulator/seed';
import { baseline, type BaselineActivities } from './baseline-workflow';

const MEDIA_TYPE = 'application/vnd.atlas.2023-01-01+json';
const HEADER = { alg: 'dir', enc: 'A256GCM' };
/** Length of the parts of a JWE that are not its ciphertext. */
const JWE_OVERHEAD = 80;

/** Activities that do nothing but list earlier runs. */
export const emptyActivities: BaselineActivities = {
  async validate(length) {
    const { info, client } = Context.current();
    const fields = {
      WorkflowId: info.workflowExecution?.workflowId ?? '',
      WorkflowType: baseline.name,
    };
    const query = visibilityQuery(fields, 'CloseTime IS NOT NULL');
    for await (const { runId } of client.workflow.list({ query })) {
      throw new Error(`run ${runId} came before`);
    }
    return 'x'.repeat(length);
  },
  create: (_request, jweLength, factsLength) =>
    Promise.resolve({ jwe: 'x'.repeat(jweLength), facts: 'x'.repeat(factsLength) }),
  deliver: (_jwe, length) => Promise.resolve('x'.repeat(length)),
};

/**
 * Creates the activities of a bare job. They send what ours send: an access token for many runs, a
 * link-token, a heartbeat. They seal and open the token, and write it to a file that survives a
 * crash. They have no check, log or metric.
 *
 * @param atlasUrl of the emulator.
 * @param folder for the files.
 */
export function createBareActivities(atlasUrl: string, folder: string): BaselineActivities {
  const atlas = new Pool(atlasUrl);
  const key = randomBytes(32);
  let accessToken: Promise<string> | undefined;

  async function post(url: string, headers: Record<string, string>, body: string) {
    const response = await atlas.request({ method: 'POST', path: url, headers, body });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${url}: ${response.statusCode} ${text}`);
    return JSON.parse(text) as Record<string, string>;
  }

  async function requestAccessToken(): Promise<string> {
    const { clientId, clientSecret } = DEFAULTS.serviceAccount;
    const headers = {
      Authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    };
    const body = 'grant_type=client_credentials';
    const { access_token } = await post('/api/oauth/token', headers, body);
    return String(access_token);
  }

  async function requestLinkToken(): Promise<string> {
    accessToken ??= requestAccessToken();
    const headers = {
      Authorization: `Bearer ${await accessToken}`,
      Accept: MEDIA_TYPE,
      'Content-Type': MEDIA_TYPE,
    };
    const url = `/api/atlas/v2/orgs/${DEFAULTS.orgId}/liveMigrations/linkTokens`;
    const body = JSON.stringify({ accessListIps: ['192.31.196.7'] });
    const { linkToken } = await post(url, headers, body);
    return String(linkToken);
  }

  return {
    ...emptyActivities,
    async create(_request, jweLength, factsLength) {
      const { info, client } = Context.current();
      const text = JSON.stringify({ linkToken: await requestLinkToken() });
      const length = Math.floor(((jweLength - JWE_OVERHEAD) * 3) / 4);
      const payload = new TextEncoder().encode(text.padEnd(length));
      const jwe = await new CompactEncrypt(payload).setProtectedHeader(HEADER).encrypt(key);
      const { namespace } = client.options;
      const { taskToken } = info;
      await client.workflowService.recordActivityTaskHeartbeat({ namespace, taskToken });
      return { jwe, facts: 'x'.repeat(factsLength) };
    },
    async deliver(jwe, length) {
      const { plaintext } = await compactDecrypt(jwe, key);
      const { linkToken } = JSON.parse(new TextDecoder().decode(plaintext)) as {
        linkToken: string;
      };
      await writeFileAtomically(path.join(folder, randomUUID()), linkToken);
      return 'x'.repeat(length);
    },
  };
}
