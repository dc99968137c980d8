import { SecretUnavailableError, secretReference, type ReferenceContext, type Secret } from './secrets';

/** A form that a secret has to have. */
interface Form {
  isWellFormed: (secret: string) => boolean;
  /** What is wrong with another, and what to write instead. */
  problem: string;
}

/** A secret that travels in a header or is part of one: fetch would quote a malformed header in its error. */
const HEADER: Form = {
  isWellFormed: (secret) => /^[\x21-\x7e]+$/.test(secret),
  problem: 'is not a credential: it holds white space or characters outside ASCII',
};

/** Schema of a reference to a secret of a known form, which is checked at start and at each reading. */
export function checkedSecret(context: ReferenceContext, form: Form) {
  return secretReference(context).transform((secret, issues): Secret => {
    const checked = withForm(secret, form);
    const problem = problemOf(checked);
    if (problem !== null) issues.addIssue(problem);
    return checked;
  });
}

export function headerSecret(context: ReferenceContext) {
  return checkedSecret(context, HEADER);
}

export function asHeaderSecret(secret: Secret): Secret {
  return withForm(secret, HEADER);
}

/** Why a secret cannot be read now, or null. */
export function problemOf(secret: Secret): string | null {
  try {
    secret.read();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A file may hold another secret by the next reading. */
function withForm(secret: Secret, { isWellFormed, problem }: Form): Secret {
  const { source } = secret;
  return {
    source,
    read() {
      const value = secret.read();
      if (!isWellFormed(value)) throw new SecretUnavailableError(`${source} ${problem}`);
      return value;
    },
  };
}
