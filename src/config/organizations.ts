/** An entry of `atlas.organizations`. */
interface Organization {
  /** Name of the credential that serves it. */
  credential: string;
  /** Names of the sinks that its tokens may go to. */
  sinks: string[];
}

export type Organizations = ReturnType<typeof createOrganizations>;

/**
 * Looks up credentials and sinks. A worker with a map serves only the organizations in it. Without a map, the only
 * credential serves every organization, with every sink.
 */
export function createOrganizations({
  organizations,
  credentials,
  sinks,
}: {
  /** Keys are organization ids. */
  organizations: ReadonlyMap<string, Organization> | null;
  credentials: { keys(): Iterable<string> };
  sinks: { keys(): Iterable<string> };
}) {
  const names = [...credentials.keys()];
  const [onlyCredential = null] = names;
  const allSinks = [...sinks.keys()];
  return {
    /** Null when no credential is configured for this organization. */
    credentialFor: (orgId: string): string | null =>
      organizations ? (organizations.get(orgId)?.credential ?? null) : onlyCredential,
    /** Names of the permitted sinks, in the order of the configuration. */
    sinksFor: (orgId: string): string[] =>
      organizations ? (organizations.get(orgId)?.sinks ?? []) : allSinks,
    /** Names of the credentials. */
    credentials: () => names,
    /** Ids of the organizations that the map assigns to a credential; none without a map. */
    servedBy: (name: string) =>
      [...(organizations ?? [])].flatMap(([orgId, { credential }]) => (credential === name ? [orgId] : [])),
  };
}
