import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { parseJson } from '../http';
import type { Secret } from '../secrets';
import { headerSecret } from '../checked-secret';
import { createDigest } from '../digest';
import { createHttpCall, type HttpAnswer } from './http-call';
import { errorOfAnswer, isSuccess } from './http-status';
import { below, httpFields, httpUrl, withoutPlainHttp } from './http-url';
import { SinkRejectedError, SinkUnavailableError, type Sink, type SinkType } from './sink';

interface CloudManagerConfig {
  baseUrl: URL;
  publicKey: Secret;
  privateKey: Secret;
  timeoutMs: number;
  syncTimeoutMs: number;
  pollIntervalMs: number;
}

/**
 * Hands each token to Cloud Manager or Ops Manager itself, which connects the source organization with the Atlas
 * organization of the token, and waits until they say so.
 *
 * @see https://www.mongodb.com/docs/cloud-manager/reference/api/cloud-migration/link-the-organization-with-atlas
 */
export const cloudManagerSink: SinkType<CloudManagerConfig> = {
  type: 'cloudManager',
  configSchema: (context) =>
    withoutPlainHttp(
      z.strictObject({
        baseUrl: httpUrl.prefault('https://cloud.mongodb.com'),
        publicKey: headerSecret(context),
        privateKey: headerSecret(context),
        syncTimeoutMs: z.int().min(0).max(3_600_000).default(120_000),
        pollIntervalMs: z.int().min(100).max(60_000).default(2000),
        ...httpFields,
      }),
      'baseUrl',
    ),
  create: (config) => Promise.resolve(createCloudManagerSink(config)),
};

const linkSchema = z.object({ status: z.enum(['SYNCED', 'NOT_SYNCED']) });

function createCloudManagerSink(config: CloudManagerConfig): Sink {
  const peer = `Cloud Manager at ${config.baseUrl.origin}`;
  const call = createHttpCall(peer, config.timeoutMs);
  const withDigest = createDigest(config.publicKey, config.privateKey);

  async function isSynced(request: { path: string; body?: string }, signal: AbortSignal): Promise<boolean> {
    const { path, body } = request;
    const method = body === undefined ? 'GET' : 'POST';
    const url = below(config.baseUrl, path);
    const unsigned = {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const answer = await withDigest({ method, uri: url.pathname, headers: unsigned }, (headers) =>
      call({ method, url, headers, ...(body !== undefined && { body }) }, signal),
    );
    return statusOf(`${peer} asked for ${path}`, answer) === 'SYNCED';
  }

  return {
    needsSourceOrgId: true,

    /**
     * Every attempt posts, since the status does not say whose token it is about; posting the same token again
     * changes nothing.
     */
    async deliver({ sourceOrgId, token }, signal) {
      if (sourceOrgId === null) {
        throw new SinkRejectedError(
          `${peer} needs to know its organization, and the request named no sourceOrgId: redeliver to another sink, and name sourceOrgId next time`,
        );
      }
      const link = `/api/public/v1.0/orgs/${sourceOrgId}/liveExport/migrationLink`;
      const deadlineMs = Date.now() + config.syncTimeoutMs;
      let synced = await isSynced({ path: link, body: JSON.stringify({ linkToken: token }) }, signal);
      while (!synced) {
        if (Date.now() + config.pollIntervalMs > deadlineMs) {
          throw new SinkUnavailableError(
            `${peer} took the token and does not say SYNCED within ${config.syncTimeoutMs} ms: look at Live Migration in the settings of organization ${sourceOrgId}, and whether it reaches Atlas`,
          );
        }
        await pause(config.pollIntervalMs, signal);
        synced = await isSynced({ path: `${link}/status` }, signal);
      }
      return `${peer}, organization ${sourceOrgId}: connected to Atlas (SYNCED)`;
    },
  };
}

function statusOf(what: string, answer: HttpAnswer): z.output<typeof linkSchema>['status'] {
  if (!isSuccess(answer)) {
    throw errorOfAnswer(what, answer, {
      400: 'it does not accept the link-token; it may have been removed in Atlas',
      401: 'it does not accept the API key, or the key is no Organization Owner there',
      403: 'the API access list of that organization lacks the worker’s address, or the key lacks the role Organization Owner',
      404: 'it knows no such organization; correct sourceOrgId or baseUrl',
    });
  }
  const parsed = linkSchema.safeParse(parseJson(answer.body));
  if (parsed.success) return parsed.data.status;
  throw new SinkRejectedError(
    `${what} answered ${answer.status} without a status of the link: check that baseUrl is Cloud Manager or Ops Manager`,
  );
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
