import type { Delivery } from '../sink';

/** What a secret store keeps of a delivery: text only; `sourceOrgId` is left out where there is none. */
export interface StoredToken {
  linkToken: string;
  deliveryId: string;
  orgId: string;
  sourceOrgId?: string;
  tokenSha256: string;
  createdAt: string;
}

/** Always the same for the same delivery, key by key: stores compare it to recognise a repetition. */
export function storedTokenOf(delivery: Delivery): StoredToken {
  return { linkToken: delivery.token, ...factsOf(delivery) };
}

/** The part without the token, which may be shown. */
export function factsOf({
  deliveryId,
  orgId,
  sourceOrgId,
  tokenSha256,
  createdAt,
}: Delivery): Omit<StoredToken, 'linkToken'> {
  return { deliveryId, orgId, ...(sourceOrgId !== null && { sourceOrgId }), tokenSha256, createdAt };
}
