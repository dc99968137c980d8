/** What `atlas.organizations` says of one organization. */
export interface Organization {
  /** Name of the credential that serves it. */
  credential: string;
  /** Names of the sinks that its tokens may go to. */
  sinks: string[];
}

export interface Organizations {
  /** Null when no credential is configured for this organization. */
  credentialFor(orgId: string): string | null;
  /** Names of the permitted sinks, in the order of the configuration. */
  sinksFor(orgId: string): string[];
  /** Names of the credentials. */
  credentials(): string[];
  /** Ids of the organizations that the map gives to a credential; none without a map. */
  servedBy(credential: string): string[];
}

/** Anything with names, such as a Map by name. */
interface Named {
  keys(): Iterable<string>;
}

/**
 * With a map, the worker serves only the organizations in it. Without one, the only credential serves every
 * organization, with every sink.
 */
export function createOrganizations({
  organizations,
  credentials,
  sinks,
}: {
  /** By organization id. */
  organizations: ReadonlyMap<string, Organization> | null;
  credentials: Named;
  sinks: Named;
}): Organizations {
  const names = [...credentials.keys()];
  if (organizations) {
    return {
      credentials: () => names,
      servedBy: (name) =>
        [...organizations].flatMap(([orgId, { credential }]) => (credential === name ? [orgId] : [])),
      credentialFor: (orgId) => organizations.get(orgId)?.credential ?? null,
      sinksFor: (orgId) => organizations.get(orgId)?.sinks ?? [],
    };
  }
  const [onlyCredential = null] = names;
  const allSinks = [...sinks.keys()];
  return {
    credentials: () => names,
    servedBy: () => [],
    credentialFor: () => onlyCredential,
    sinksFor: () => allSinks,
  };
}
