import { surroundings, type Serve } from './network';

/*
 * The servers of the sinks, and what each has stored. As Atlas does, they accept every request as
 * authenticated.
 */

/** A token in a sink. */
export interface Stored {
  sink: string;
  linkToken: string;
  /** The organization that the sink stored it for: that of the source in Cloud Manager. */
  orgId: string;
  /** When its link is synced, in Cloud Manager. */
  readyMs: number;
  /** What it stores beside the token. */
  facts: Readonly<Record<string, unknown>>;
}

/** @param onStored is called when a sink stores a token, also if it has it already. */
export function createSinkServers(onStored: (stored: Stored) => void) {
  const versions = new Map<string, Record<string, unknown>[]>();
  const links = new Map<string, { linkToken: string; syncedMs: number }>();

  function store(sink: string, { linkToken, ...facts }: Record<string, unknown>): void {
    const orgId = String(facts['orgId']);
    onStored({ sink, linkToken: String(linkToken), orgId, readyMs: Date.now(), facts });
  }

  /** A receiver of a webhook, which recognizes a repetition by its id. */
  function createHook(sink: string): Serve {
    const received = new Map<string, string>();
    return ({ headers, body }) => {
      const { 'webhook-id': id = '' } = headers;
      if (received.has(id)) return { status: received.get(id) === body ? 200 : 409 };
      received.set(id, body);
      const { data } = JSON.parse(body) as { data: Record<string, unknown> };
      store(sink, data);
      return { status: 204 };
    };
  }

  /** A key/value engine of version 2 (Vault's HTTP API). */
  const serveVault: Serve = ({ method, path, body }) => {
    if (path.includes('/sys/internal/ui/mounts/')) {
      return { status: 200, json: { data: { type: 'kv', options: { version: '2' } } } };
    }
    const secret = versions.get(path) ?? [];
    const version = secret.length;
    if (method === 'GET') {
      if (version === 0) return { status: 404, json: { errors: [] } };
      return { status: 200, json: { data: { data: secret.at(-1), metadata: { version } } } };
    }
    const { options, data } = JSON.parse(body) as { options: { cas: number }; data: object };
    if (options.cas !== version) {
      return { status: 400, json: { errors: ['check-and-set parameter did not match'] } };
    }
    versions.set(path, [...secret, data as Record<string, unknown>]);
    store('vault', data as Record<string, unknown>);
    return { status: 200, json: { data: { version: version + 1 } } };
  };

  /** Cloud Manager has one link for each organization. */
  const serveSource: Serve = ({ method, path, body }) => {
    const [, sourceOrgId = ''] = /orgs\/(\w+)\//.exec(path) ?? [];
    if (method === 'POST') {
      const { linkToken } = JSON.parse(body) as { linkToken: string };
      if (links.get(sourceOrgId)?.linkToken !== linkToken) {
        const syncMs = surroundings.network?.tape.pick([0, 3000, 30_000, 1_000_000]) ?? 0;
        links.set(sourceOrgId, { linkToken, syncedMs: Date.now() + syncMs });
      }
      const readyMs = links.get(sourceOrgId)?.syncedMs ?? 0;
      onStored({ sink: 'source', linkToken, orgId: sourceOrgId, readyMs, facts: {} });
    }
    const link = links.get(sourceOrgId);
    const isSynced = link !== undefined && link.syncedMs <= Date.now();
    return { status: 200, json: { status: isSynced ? 'SYNCED' : 'NOT_SYNCED' } };
  };

  return {
    'hook.test': createHook('hook'),
    'archive.test': createHook('archive'),
    'vault.test': serveVault,
    'source.test': serveSource,
  };
}
