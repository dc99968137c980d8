import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { organizationId } from '../contract/schemas';
import { createDigest } from '../http/digest';
import { isSuccess } from '../http/response';
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
    sources: z
      .record(
        organizationId,
        z.strictObject({
          orgId: organizationId,
          publicKey: textOrReference(context, headerFormat),
          privateKey: secretReference(context, headerFormat),
        }),
        'name each source organization, with orgId, publicKey and privateKey',
      )
      .refine(
        (sources) => Object.keys(sources).length > 0,
        'is empty, so the sink takes no token: name a source organization, or remove the sink',
      )
      .transform((sources) => new Map(Object.entries(sources))),
    syncTimeoutMs: durationMs(0, 240_000).default(120_000),
    pollIntervalMs: z.int().min(100).max(60_000).default(2000),
  });

type Config = z.output<ReturnType<typeof configSchema>>;

/**
 * Links a source organization to its Atlas organization, and waits until the link is synced. Each
 * source organization has one link, and an API key of its own.
 *
 * @see
 *   https://www.mongodb.com/docs/cloud-manager/reference/api/cloud-migration/link-the-organization-with-atlas
 */
export const cloudManagerSink: SinkType<Config> = {
  type: 'cloudManager',
  configSchema,
  create: createCloudManagerSink,
};

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
  const digests = new Map(
    [...config.sources].map(([sourceOrgId, { publicKey, privateKey }]) => [
      sourceOrgId,
      createDigest(publicKey, privateKey),
    ]),
  );

  /** Requests the status of a link, or with a body sets the link. */
  async function isSynced(
    sourceOrgId: string,
    signal: AbortSignal,
    body?: { linkToken: string },
  ): Promise<boolean> {
    const withDigest = digests.get(sourceOrgId);
    if (!withDigest) {
      throw new SinkRejectedError(`source organization ${sourceOrgId} has no API key here`);
    }
    const link = `/api/public/v1.0/orgs/${sourceOrgId}/liveExport/migrationLink`;
    const method = body ? 'POST' : 'GET';
    const path = body ? link : `${link}/status`;
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
    const what = `${server}, ${path}`;
    if (!isSuccess(response)) throw statusError(what, response, body ? POST_ADVICE : ADVICE);
    const parsed = linkSchema.safeParse(response.json);
    if (parsed.success) return parsed.data.status === 'SYNCED';
    throw new SinkRejectedError(
      `${what} responded with ${response.status} and without a link status:` +
        ' check that baseUrl is Cloud Manager or Ops Manager',
    );
  }

  return {
    needsSourceOrgId: true,
    sources: new Map([...config.sources].map(([sourceOrgId, { orgId }]) => [sourceOrgId, orgId])),
    skipsAccessList: true,
    isLinked: isSynced,

    /**
     * Posts in every attempt: the status names no token. That a repetition changes nothing is not
     * documented.
     */
    async deliver({ sourceOrgId, linkToken }, signal) {
      const organization = sourceOrgId ?? '';
      const deadlineMs = performance.now() + syncTimeoutMs;
      let synced = await isSynced(organization, signal, { linkToken });
      while (!synced) {
        if (performance.now() + pollIntervalMs > deadlineMs) {
          throw new SinkUnavailableError(
            `${server} accepted the token but did not report SYNCED within ${syncTimeoutMs} ms: ` +
              `check Live Migration in the settings of organization ${organization}, ` +
              `and that ${config.baseUrl.host} can reach Atlas`,
          );
        }
        await sleep(pollIntervalMs, undefined, { signal }).catch(() => signal.throwIfAborted());
        synced = await isSynced(organization, signal);
      }
      return `${server}, organization ${organization}: connected to Atlas (SYNCED)`;
    },

    async check(target, signal) {
      const organization = target.sourceOrgId ?? '';
      await isSynced(organization, signal);
      return `${server} accepts the API key for organization ${organization}`;
    },
  };
}
