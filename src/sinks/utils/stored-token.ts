import type { Delivery } from '../sink';

/**
 * What a secret store keeps of a delivery: text only, and no key where the request named nothing. Always the same for
 * the same delivery, key by key: stores compare it to recognise a repetition.
 */
export function storedTokenOf(delivery: Delivery) {
  const { deliveryId, orgId, sourceOrgId, tokenSha256, createdAt, requestedBy, changeReference } = delivery;
  return {
    linkToken: delivery.token,
    deliveryId,
    orgId,
    ...(sourceOrgId !== null && { sourceOrgId }),
    tokenSha256,
    createdAt,
    ...(requestedBy !== null && { requestedBy }),
    ...(changeReference !== null && { changeReference }),
  };
}
