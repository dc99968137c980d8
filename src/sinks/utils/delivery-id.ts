import { SinkRejectedError, type CheckTarget, type Delivery } from '../sink';

/** The fields of a delivery that may become part of a path or a name. */
export const ID_FIELDS = ['orgId', 'sourceOrgId', 'deliveryId'] as const;
export type IdField = (typeof ID_FIELDS)[number];

/**
 * The id as part of a path. Activities validate ids before. This check holds even if one forgets to: with a value such
 * as `../x` the token would leave the place that the operator configured.
 *
 * @throws SinkRejectedError when the id contains anything but hexadecimal digits and hyphens.
 */
export function pathId(field: IdField, value: string): string {
  if (/^[0-9a-f-]+$/.test(value)) return value;
  throw new SinkRejectedError(
    `${field} contains characters other than hexadecimal digits and hyphens, so it cannot be part of a path: nothing was sent`,
  );
}

/** Ids for a check that delivers nothing: made up where they are not known. */
export function checkedIds(target: CheckTarget | null): Pick<Delivery, IdField> {
  const noOrganization = '0'.repeat(24);
  const { orgId, sourceOrgId } = target ?? { orgId: noOrganization, sourceOrgId: noOrganization };
  return { orgId, sourceOrgId, deliveryId: '00000000-0000-0000-0000-000000000000' };
}

/** The ids that the delivery has, checked, in the order of `ID_FIELDS`. */
export function pathIds(delivery: Delivery): string[] {
  return ID_FIELDS.flatMap((field) => {
    const value = delivery[field];
    return value === null ? [] : [pathId(field, value)];
  });
}
