import type { SecretsManagerServiceException } from '@aws-sdk/client-secrets-manager';
import { SinkRejectedError, SinkUnavailableError } from '../sink';

interface Meaning {
  retryable: boolean;
  message: string;
}

const later = (message: string): Meaning => ({ retryable: true, message });
const never = (message: string): Meaning => ({ retryable: false, message });

const CREDENTIALS_REFUSED = later('AWS does not accept the credentials; replace them with valid ones');

/** Meanings by exception name (API reference, "Common Error Types" and the errors of each action). */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  Object.entries({
    AccessDeniedException: never('grant that action on this secret to the worker'),
    EncryptionFailure: later('the KMS key cannot encrypt; enable it and grant the worker its use'),
    InvalidRequestException: never(
      'the secret is scheduled for deletion or managed by another service; restore it or correct secretName',
    ),
    ResourceNotFoundException: later('the secret was just deleted, or the KMS key does not exist'),
    CredentialsProviderError: later(
      'the worker finds no AWS credentials; give it a role, a profile or environment variables',
    ),
    ThrottlingException: later('too many requests'),
    ExpiredTokenException: CREDENTIALS_REFUSED,
    IncompleteSignatureException: CREDENTIALS_REFUSED,
    InvalidClientTokenId: CREDENTIALS_REFUSED,
    InvalidSignatureException: CREDENTIALS_REFUSED,
    UnrecognizedClientException: CREDENTIALS_REFUSED,
  }),
);

type SdkError = Partial<SecretsManagerServiceException & { code: string }>;

const EXCEPTION_NAME = /^[A-Za-z]{1,64}$/;

/**
 * Makes the error for a failed call. It does not quote the SDK's message, which may quote signed headers, and a session
 * token is one of them.
 *
 * @param what action and secret, such as `secretsmanager:CreateSecret for secret live-migration/…`.
 */
export function callError(what: string, error: unknown): SinkRejectedError | SinkUnavailableError {
  const { name: given = '', code, $metadata } = error as SdkError;
  // The server chooses the name, and could quote the token in it.
  const name = EXCEPTION_NAME.test(given) ? given : undefined;
  const status = $metadata?.httpStatusCode;
  const { retryable, message: meaning } = MEANINGS.get(name ?? '') ?? classifyStatus(status);
  const outcome = status === undefined ? (code ?? name ?? 'unknown error') : [status, name].filter(Boolean).join(' ');
  const message = `${what} failed (${outcome}): ${meaning}`;
  return retryable ? new SinkUnavailableError(message) : new SinkRejectedError(message);
}

function classifyStatus(status: number | undefined): Meaning {
  if (status === undefined) return later('no response; check that the worker can reach AWS');
  return status === 429 || status >= 500
    ? later('AWS returned a server error; check its status page')
    : never('AWS rejected the request; see its API reference');
}
