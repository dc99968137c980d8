import type { Help } from '@commander-js/extra-typings';

/** Follows the help of the program. */
export const HELP = `
Temporal is found by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS… or a profile file.

Exit codes:
  0    done
  1    failed
  2    usage
  3    Temporal cannot be reached
  4    timed out waiting; the run goes on
  5    undelivered: the token exists, and the run goes on
  6    refused: delivered before, another request is open, or an earlier run left a token
  7    cancelled
  130  interrupted; the run goes on`;

/** Says of each option whether it is required, what it may be and what it is otherwise. */
export const optionDescription: Help['optionDescription'] = (option) => {
  const { description, mandatory, argChoices } = option;
  const defaultValue: unknown = option.defaultValue;
  const notes = [
    mandatory && 'required',
    argChoices && `one of ${argChoices.join(', ')}`,
    typeof defaultValue === 'string' && `default: ${defaultValue}`,
  ].filter(Boolean);
  return notes.length > 0 ? `${description} (${notes.join('; ')})` : description;
};
