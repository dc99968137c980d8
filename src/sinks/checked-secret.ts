import type { ReferenceContext, Secret } from '../secrets';
import { SecretUnavailableError, secretReference } from '../secrets';

/**
 * Schema of a reference to a secret of a known form. The form is checked at start and at each reading, since a file
 * may hold another secret by then.
 *
 * @param problem what is wrong with a secret of another form, and what to write instead.
 */
export function checkedSecret(
  context: ReferenceContext,
  isWellFormed: (secret: string) => boolean,
  problem: string,
) {
  return secretReference(context).transform((secret, issues): Secret => {
    const checked: Secret = {
      source: secret.source,
      read() {
        const value = secret.read();
        if (!isWellFormed(value)) throw new SecretUnavailableError(`${secret.source} ${problem}`);
        return value;
      },
    };
    try {
      checked.read();
    } catch (error) {
      issues.addIssue((error as Error).message);
    }
    return checked;
  });
}

/** A secret that travels in a header or is part of one: fetch would quote a malformed header in its error. */
export function headerSecret(context: ReferenceContext) {
  return checkedSecret(
    context,
    (secret) => /^[\x21-\x7e]+$/.test(secret),
    'is not a credential: it holds white space or characters outside ASCII',
  );
}
