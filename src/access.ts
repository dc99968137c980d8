import type { OrganizationConfig } from './config';

/** Which credential serves an organization, and which sinks its tokens may go to. */
export interface Access {
  /** Null where none is configured for this organization. */
  credentialFor(orgId: string): string | null;
  /** Names of sinks, in the order of the configuration. */
  sinksFor(orgId: string): string[];
}

/** With a map of organizations, only they are served. Without one, the one credential serves all, with all sinks. */
export function createAccess(
  organizations: ReadonlyMap<string, OrganizationConfig> | null,
  credentialNames: readonly string[],
  sinkNames: readonly string[],
): Access {
  return {
    credentialFor: (orgId) =>
      organizations ? (organizations.get(orgId)?.credential ?? null) : (credentialNames[0] ?? null),
    sinksFor: (orgId) => (organizations ? (organizations.get(orgId)?.sinks ?? []) : [...sinkNames]),
  };
}
