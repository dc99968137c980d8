import type { Delivery } from './sink';

/** What a secret store keeps of a delivery: strings alone, `sourceOrgId` only where there is one. */
export type StoredToken = Record<
  'linkToken' | 'deliveryId' | 'orgId' | 'tokenSha256' | 'createdAt',
  string
> & { sourceOrgId?: string };

/** Always the same for the same delivery, key by key: stores compare it to tell a repetition. */
export function storedTokenOf(delivery: Delivery): StoredToken {
  return { linkToken: delivery.token, ...factsOf(delivery) };
}

/** What may be shown of a delivery: all but the token. */
export function factsOf({
  deliveryId,
  orgId,
  sourceOrgId,
  tokenSha256,
  createdAt,
}: Delivery): Omit<StoredToken, 'linkToken'> {
  return { deliveryId, orgId, ...(sourceOrgId !== null && { sourceOrgId }), tokenSha256, createdAt };
}
