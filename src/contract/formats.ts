/*
 * The forms of ids and names. Workflow code imports them, so this file is free of zod and of Node.
 */

export const SHA256 = /^[a-f0-9]{64}$/;

/** Shorter than a private key, a UUID with or without dashes: none may pass for a public one. */
export const PUBLIC_API_KEY = /^[A-Za-z0-9]{1,16}$/;

/**
 * How Atlas describes the API key of a link-token. MongoDB documents no description; the four such
 * keys in recorded lists have this one. No other key may be deleted.
 */
export const LINK_TOKEN_KEY = /^Atlas Migration Service Key - [0-9a-f]{7}$/;

/** 24 lower-case hexadecimal digits (pattern from the published Atlas Administration API). */
export const ORGANIZATION_ID = /^[a-f0-9]{24}$/;

export const NOT_AN_ORGANIZATION_ID =
  "is not 24 lower-case hexadecimal digits: copy it from the organization's settings page";

export function isOrganizationId(id: unknown): id is string {
  return typeof id === 'string' && ORGANIZATION_ID.test(id);
}

/** The form of a sink's name in a worker's configuration. */
export const SINK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export function isSinkName(name: unknown): name is string {
  return typeof name === 'string' && SINK_NAME.test(name);
}
