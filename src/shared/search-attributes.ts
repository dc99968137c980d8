import {
  SearchAttributeType,
  defineSearchAttributeKey,
  type SearchAttributeUpdatePair,
} from '@temporalio/common';
import type { RunMemo } from '../contract/schemas';

/*
 * The search attributes by which the Temporal UI and its list find runs that need a person. They
 * are opt-in, since the server fails every workflow task that writes one which the namespace lacks.
 */

const STATE = defineSearchAttributeKey('LinkTokenState', SearchAttributeType.KEYWORD);
const UNCONFIRMED = defineSearchAttributeKey('LinkTokensUnconfirmed', SearchAttributeType.INT);

/** A list with these is refused unless the namespace has both attributes, with these types. */
export const SEARCH_ATTRIBUTE_CONDITIONS = [
  `${STATE.name} STARTS_WITH 'undelivered'`,
  `${UNCONFIRMED.name} > 0`,
];

/** Options of `temporal operator search-attribute create`. */
export const SEARCH_ATTRIBUTE_OPTIONS = [
  `--name ${STATE.name} --type Keyword`,
  `--name ${UNCONFIRMED.name} --type Int`,
].join(' ');

/** Converts what a run adds to its memo. */
export function toSearchAttributes({
  step,
  deliveryId,
  unconfirmedTokens,
}: Partial<RunMemo>): SearchAttributeUpdatePair[] {
  const pairs: SearchAttributeUpdatePair[] = [];
  if (step !== undefined) {
    const state = step ?? (deliveryId == null ? null : 'abandoned');
    pairs.push({ key: STATE, value: state });
  }
  if (unconfirmedTokens !== undefined) pairs.push({ key: UNCONFIRMED, value: unconfirmedTokens });
  return pairs;
}
