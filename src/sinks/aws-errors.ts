import { SinkRejectedError, SinkUnavailableError } from './sink';

interface Meaning {
  retried: boolean;
  /** What is the matter and what to do. */
  words: string;
}

const CREDENTIALS_REFUSED: Meaning = {
  retried: true,
  words: 'AWS does not accept the credentials; put valid ones in place of them',
};

/** By the name of the exception (AWS Secrets Manager API reference, "Common error types" and each action's own). */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  AccessDeniedException: { retried: false, words: 'grant that action on this secret to the worker' },
  EncryptionFailure: {
    retried: true,
    words: 'the KMS key does not encrypt; enable it and let the worker use it',
  },
  InvalidRequestException: {
    retried: false,
    words:
      'the secret is scheduled for deletion or managed by another service; restore it or correct secretName',
  },
  ResourceNotFoundException: {
    retried: true,
    words: 'it was deleted just now, or the KMS key does not exist',
  },
  CredentialsProviderError: {
    retried: true,
    words: 'the worker finds no AWS credentials; give it a role, a profile or environment variables',
  },
  ThrottlingException: { retried: true, words: 'too many requests' },
  ExpiredTokenException: CREDENTIALS_REFUSED,
  IncompleteSignatureException: CREDENTIALS_REFUSED,
  InvalidClientTokenId: CREDENTIALS_REFUSED,
  InvalidSignatureException: CREDENTIALS_REFUSED,
  UnrecognizedClientException: CREDENTIALS_REFUSED,
};

/**
 * The error for what the SDK threw. The SDK's own words are left out: those about a signature quote signed headers,
 * and a session token is one of them.
 *
 * @param what the action and the secret, such as `secretsmanager:CreateSecret for live-migration/…`.
 */
export function sinkErrorOfAws(what: string, error: unknown): SinkRejectedError | SinkUnavailableError {
  const { name, code, $metadata } = error as {
    name?: string;
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const meaning = MEANINGS[name ?? ''] ?? meaningOfStatus(status);
  const outcome = status === undefined ? (code ?? name ?? 'unknown error') : `${status} ${name ?? ''}`;
  const message = `${what} failed (${outcome}): ${meaning.words}`;
  return meaning.retried ? new SinkUnavailableError(message) : new SinkRejectedError(message);
}

function meaningOfStatus(status: number | undefined): Meaning {
  if (status === undefined) {
    return { retried: true, words: 'no answer came; check that the worker reaches AWS' };
  }
  return status === 429 || status >= 500
    ? { retried: true, words: 'AWS has a problem of its own' }
    : { retried: false, words: 'AWS refuses the request; look it up in the API reference' };
}
