/** The names by which faults and the request log speak of a route. */
export const ROUTE_NAMES = [
  'oauth',
  'oauthRevoke',
  'linkTokens',
  'deleteLinkTokens',
  'availableProjects',
  'orgs',
  'migrationLink',
  'migrationLinkStatus',
  'deleteMigrationLink',
] as const;
export type RouteName = (typeof ROUTE_NAMES)[number];
