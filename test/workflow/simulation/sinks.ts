import { Webhook } from 'standardwebhooks';
import { SinkRejectedError, SinkUnavailableError } from '../../../src/sinks/sink';
import { createState, replyTo, requireSignature } from './atlas';
import { nowMs, sleep } from './clock';
import { surroundings, type Reply, type SentRequest, type Serve } from './network';

/*
 * The servers of the sinks, and the folder of the file sink: what each has stored.
 */

export const SINK_SECRETS = {
  hook: `whsec_${Buffer.from('k'.repeat(24)).toString('base64')}`,
  vault: 'vaultToken',
};

/** A token in a sink. */
export interface Stored {
  sink: string;
  linkToken: string;
  /** The organization that the sink stored it for: that of the source in Cloud Manager. */
  orgId: string;
  /** When its link is synced, in Cloud Manager. */
  readyMs: number;
  createdAt: string;
  /** What it stores beside the token. */
  facts: Readonly<Record<string, unknown>>;
}

/** @param onStored is called when a sink stores a token, also if it has it already. */
export function createSinkServers(onStored: (stored: Stored) => void) {
  const receipts = new Map<string, string>();
  const versions = new Map<string, Record<string, unknown>[]>();
  const links = new Map<string, { linkToken: string; syncedMs: number }>();
  const files = new Map<string, string>();
  const state = createState();

  function store(sink: string, data: Record<string, unknown>, readyMs = nowMs()): void {
    const { linkToken, orgId, createdAt } = data as Record<string, string>;
    const { linkToken: _, ...facts } = createdAt ? data : {};
    onStored({
      sink,
      linkToken: linkToken ?? '',
      orgId: orgId ?? '',
      createdAt: createdAt ?? '',
      readyMs,
      facts,
    });
  }

  const serveHook: Serve = ({ headers, body }) => {
    try {
      new Webhook(SINK_SECRETS.hook).verify(body, headers);
    } catch {
      // It also refuses a signature that is older or newer than five minutes.
      return { status: 401 };
    }
    const { 'webhook-id': id = '' } = headers;
    // The receiver recognizes a repetition by its id.
    if (receipts.has(id)) return { status: receipts.get(id) === body ? 200 : 409 };
    receipts.set(id, body);
    const { data } = JSON.parse(body) as { data: Record<string, unknown> };
    store('hook', data);
    return { status: 204 };
  };

  /** A key/value engine of version 2 (Vault's HTTP API). */
  const serveVault: Serve = ({ method, path, headers, body }) => {
    if (headers['x-vault-token'] !== SINK_SECRETS.vault) {
      return { status: 403, body: { errors: [] } };
    }
    if (path.includes('/sys/internal/ui/mounts/')) {
      return { status: 200, body: { data: { type: 'kv', options: { version: '2' } } } };
    }
    const secret = versions.get(path) ?? [];
    const version = secret.length;
    if (method === 'GET') {
      if (version === 0) return { status: 404, body: { errors: [] } };
      return { status: 200, body: { data: { data: secret.at(-1), metadata: { version } } } };
    }
    const { options, data } = JSON.parse(body) as { options: { cas: number }; data: object };
    if (options.cas !== version) {
      return { status: 400, body: { errors: ['check-and-set parameter did not match'] } };
    }
    versions.set(path, [...secret, data as Record<string, unknown>]);
    store('vault', data as Record<string, unknown>);
    return { status: 200, body: { data: { version: version + 1 } } };
  };

  /** Cloud Manager has one link for each organization. */
  const serveSource = (request: SentRequest): Reply => {
    requireSignature(request, 'digest', state);
    const [, sourceOrgId = ''] = /orgs\/(\w+)\//.exec(request.path) ?? [];
    if (request.method === 'POST') {
      const { linkToken } = JSON.parse(request.body) as { linkToken: string };
      if (links.get(sourceOrgId)?.linkToken !== linkToken) {
        const syncMs = surroundings.network?.tape.pick([0, 3000, 30_000, 1_000_000]) ?? 0;
        links.set(sourceOrgId, { linkToken, syncedMs: nowMs() + syncMs });
      }
      store('source', { linkToken, orgId: sourceOrgId }, links.get(sourceOrgId)?.syncedMs);
    }
    const link = links.get(sourceOrgId);
    const isSynced = link !== undefined && link.syncedMs <= nowMs();
    return { status: 200, body: { status: isSynced ? 'SYNCED' : 'NOT_SYNCED' } };
  };

  return {
    servers: {
      'hook.test': serveHook,
      'vault.test': serveVault,
      'source.test': (request: SentRequest) => replyTo(() => serveSource(request)),
    },

    /** In the place of `callFolderProcess`, whose process works in real time. */
    async callFolder(operation: string, file: string, linkToken: string): Promise<string> {
      const { tape, say } = surroundings.network ?? {};
      const fate = tape?.pick(['stored', 'stored', 'stored', 'full', 'stored, then lost', 'hangs']);
      say?.(`files: ${fate}`);
      await sleep(fate === 'hangs' ? 60_000 : 5);
      if (fate === 'full') throw new SinkUnavailableError('ENOSPC');
      const content = files.get(file) ?? linkToken;
      if (content !== linkToken) throw new SinkRejectedError('the file has another token');
      if (operation === 'storeToken' && !files.has(file)) {
        files.set(file, linkToken);
        const [orgId = ''] = file.split('/').at(-1)?.split('.') ?? [];
        store('files', { linkToken, orgId });
      }
      if (fate === 'stored, then lost') throw new SinkUnavailableError('the process ended');
      return `file ${file}`;
    },
  };
}
