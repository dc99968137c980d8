import { randomBytes } from 'node:crypto';

/** An organization id that no other test has. */
export function newOrgId(): string {
  return randomBytes(12).toString('hex');
}

let addresses = 0;

/**
 * A public address that no other request of this file has: Atlas shows it with the token that it
 * created.
 */
export function newAddress(): string {
  addresses += 1;
  return `2001:4:112::${addresses.toString(16)}`;
}
