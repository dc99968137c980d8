import {
  SearchAttributeType,
  defineSearchAttributeKey,
  type SearchAttributeUpdatePair,
} from '@temporalio/common';
import { shellQuote } from './text';

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

/**
 * The commands that create both, on a self-hosted server and in Temporal Cloud. Source of the
 * latter, which was not tried: https://docs.temporal.io/cloud/tcld/namespace.
 */
export function createAttributesCommands(namespace: string) {
  const quoted = shellQuote(namespace);
  return {
    selfHosted:
      `temporal operator search-attribute create --namespace ${quoted}` +
      ` --name ${STATE.name} --type Keyword --name ${UNCONFIRMED.name} --type Int`,
    cloud:
      `tcld namespace search-attributes add --namespace ${quoted}` +
      ` --search-attribute ${STATE.name}=Keyword --search-attribute ${UNCONFIRMED.name}=Int`,
  };
}

/** By what a person finds a run that needs one. */
export interface SearchFields {
  /** Null for a run that needs nobody, or no longer. */
  state?: 'undelivered' | 'abandoned' | null;
  unconfirmedTokens?: number;
}

export function toSearchAttributes({
  state,
  unconfirmedTokens,
}: SearchFields): SearchAttributeUpdatePair[] {
  const pairs: SearchAttributeUpdatePair[] = [];
  if (state !== undefined) pairs.push({ key: STATE, value: state });
  if (unconfirmedTokens !== undefined) pairs.push({ key: UNCONFIRMED, value: unconfirmedTokens });
  return pairs;
}
