import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { createDigest } from '../http/digest';
import { isSuccess, type HttpResponse } from '../http/response';
import type { HttpRequest } from '../http/send';
import {
  headerFormat,
  textOrReference,
  secretReference,
  type ReferenceContext,
} from '../secrets/read-secret';
import { SinkRejectedError, SinkUnavailableError, type Sink, type SinkType } from './sink';
import { durationMs, httpConfig, httpUrl } from './utils/http-config';
import { createSinkSend, joinUrl, statusError, type Advice } from './utils/http-outcomes';

const configSchema = (context: ReferenceContext) =>
  httpConfig('baseUrl', {
    baseUrl: httpUrl.prefault('https://cloud.mongodb.com'),
    publicKey: textOrReference(context, headerFormat),
    privateKey: secretReference(context, headerFormat),
    syncTimeoutMs: durationMs(0, 240_000).default(120_000),
    pollIntervalMs: z.int().min(100).max(60_000).default(2000),
  });

type Config = z.output<ReturnType<typeof configSchema>>;

/**
 * Links the source organization to the Atlas organization, and waits until the link is synced.
 *
 * @see
 *   https://www.mongodb.com/docs/cloud-manager/reference/api/cloud-migration/link-the-organization-with-atlas
 */
export const cloudManagerSink: SinkType<Config> = {
  type: 'cloudManager',
  configSchema,
  create: createCloudManagerSink,
};

const ORGS = '/api/public/v1.0/orgs';
const linkSchema = z.object({ status: z.enum(['SYNCED', 'NOT_SYNCED']) });

const ADVICE: Advice = {
  401: 'it does not accept the API key, or the key lacks the role Organization Owner there',
  403:
    "that organization's API access list lacks the worker's address," +
    ' or the key lacks the role Organization Owner',
  404:
    'there is no such organization: correct baseUrl and restart the workers, ' +
    'or cancel the run, then start with another sourceOrgId',
};

/** Only a POST sends the link-token. */
const POST_ADVICE: Advice = {
  ...ADVICE,
  400:
    'it does not accept the link-token:' +
    ' if its API key was deleted in Atlas, cancel the run, then start --again',
};

function createCloudManagerSink(config: Config): Sink {
  const { syncTimeoutMs, pollIntervalMs } = config;
  const server = `Cloud Manager at ${config.baseUrl.origin}`;
  const send = createSinkSend(server, config.timeoutMs);
  const withDigest = createDigest(config.publicKey, config.privateKey);

  async function call(path: string, signal: AbortSignal, body?: object): Promise<HttpResponse> {
    const method = body ? 'POST' : 'GET';
    const url = joinUrl(config.baseUrl, path);
    const unsigned = { accept: 'application/json', 'content-type': 'application/json' };
    const response = await withDigest(
      { method, uri: url.pathname, headers: unsigned },
      (headers) => {
        const request: HttpRequest = { method, url, headers };
        if (body) request.body = JSON.stringify(body);
        return send(request, signal);
      },
    );
    if (isSuccess(response)) return response;
    throw statusError(`${server}, ${path}`, response, body ? POST_ADVICE : ADVICE);
  }

  async function isSynced(path: string, signal: AbortSignal, body?: object): Promise<boolean> {
    const { status, json } = await call(path, signal, body);
    const parsed = linkSchema.safeParse(json);
    if (parsed.success) return parsed.data.status === 'SYNCED';
    const problem = `${server}, ${path} responded with ${status} and without a link status`;
    throw new SinkRejectedError(`${problem}: check that baseUrl is Cloud Manager or Ops Manager`);
  }

  function isLinked(sourceOrgId: string, signal: AbortSignal): Promise<boolean> {
    return isSynced(`${linkPath(sourceOrgId)}/status`, signal);
  }

  return {
    needsSourceOrgId: true,
    skipsAccessList: true,
    isLinked,

    /**
     * Posts in every attempt: the status names no token. That a repetition changes nothing is not
     * documented.
     */
    async deliver({ sourceOrgId, linkToken }, signal) {
      const organization = sourceOrgId ?? '';
      const deadlineMs = performance.now() + syncTimeoutMs;
      let synced = await isSynced(linkPath(organization), signal, { linkToken });
      while (!synced) {
        if (performance.now() + pollIntervalMs > deadlineMs) {
          throw new SinkUnavailableError(
            `${server} accepted the token but did not report SYNCED within ${syncTimeoutMs} ms: ` +
              `check Live Migration in the settings of organization ${organization}, ` +
              `and that ${config.baseUrl.host} can reach Atlas`,
          );
        }
        await sleep(pollIntervalMs, undefined, { signal }).catch(() => signal.throwIfAborted());
        synced = await isLinked(organization, signal);
      }
      return `${server}, organization ${organization}: connected to Atlas (SYNCED)`;
    },

    async check(target, signal) {
      const sourceOrgId = target?.sourceOrgId ?? null;
      if (sourceOrgId === null) {
        await call(ORGS, signal);
        return `${server} accepts the API key`;
      }
      await isLinked(sourceOrgId, signal);
      return `${server} accepts the API key for organization ${sourceOrgId}`;
    },
  };
}

function linkPath(sourceOrgId: string): string {
  return `${ORGS}/${sourceOrgId}/liveExport/migrationLink`;
}
