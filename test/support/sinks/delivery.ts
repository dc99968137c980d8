import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Delivery } from '../../../src/sinks/sink';
import { newOrgId } from '../ids';

/** A new token for the two organizations; ones of its own unless they are given. */
export function newDelivery(given: Partial<Delivery> = {}): Delivery {
  const token = given.token ?? `canary-link-token-${randomBytes(24).toString('hex')}`;
  return {
    token,
    deliveryId: randomUUID(),
    orgId: newOrgId(),
    sourceOrgId: newOrgId(),
    tokenSha256: createHash('sha256').update(token).digest('hex'),
    createdAt: new Date().toISOString(),
    requestedBy: 'jane.doe@example.com',
    changeReference: 'CHG-1234',
    ...given,
  };
}

/** Another token for the organizations of the first, created after it. */
export function successorOf({ orgId, sourceOrgId, createdAt }: Delivery): Delivery {
  const later = new Date(Date.parse(createdAt) + 1000).toISOString();
  return newDelivery({ orgId, sourceOrgId, createdAt: later });
}
