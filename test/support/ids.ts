import { randomBytes } from 'node:crypto';

/** An organization id that no other test has. */
export function newOrgId(): string {
  return randomBytes(12).toString('hex');
}
