/**
 * A worker with a map serves only the organizations in it, by their ids. Without a map, the only
 * credential serves every organization, with every sink.
 */
export function createOrganizations(config: {
  organizations: ReadonlyMap<string, { credential: string; sinks: string[] }> | null;
  credentials: { keys(): Iterable<string> };
  sinks: { keys(): Iterable<string> };
}) {
  const { organizations } = config;
  const names = [...config.credentials.keys()];
  const [onlyCredential = null] = names;
  const allSinks = [...config.sinks.keys()];
  return {
    /** @returns null when no credential is configured for this organization. */
    credentialFor: (orgId: string): string | null =>
      organizations ? (organizations.get(orgId)?.credential ?? null) : onlyCredential,
    /** Lists the permitted sinks, in the order of the configuration. */
    sinksFor: (orgId: string): string[] =>
      organizations ? (organizations.get(orgId)?.sinks ?? []) : allSinks,
    credentials: (): string[] => names,
    /**
     * Lists the ids of the organizations that the map assigns to a credential; none without a map.
     */
    servedBy: (name: string): string[] =>
      [...(organizations ?? [])].flatMap(([orgId, { credential }]) =>
        credential === name ? [orgId] : [],
      ),
  };
}
