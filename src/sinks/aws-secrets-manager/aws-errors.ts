import type { SecretsManagerServiceException } from '@aws-sdk/client-secrets-manager';
import { isCertificateError } from '../../http/certificate';
import { isTemporary } from '../../http/response';
import { SinkRejectedError, SinkUnavailableError } from '../sink';

interface Meaning {
  SinkError: typeof SinkUnavailableError | typeof SinkRejectedError;
  meaning: string;
}

const unavailable = (meaning: string): Meaning => ({ SinkError: SinkUnavailableError, meaning });
const rejected = (meaning: string): Meaning => ({ SinkError: SinkRejectedError, meaning });
const BAD_CREDENTIALS = unavailable("AWS does not accept the worker's credentials; replace them");
const BAD_ROLE = unavailable(
  'STS does not let the worker assume its role; ' +
    'check the role, its trust policy and its identity provider',
);

/**
 * Meanings by exception name (API reference, "Common Error Types" and the errors of each action,
 * also of the actions of STS, which the SDK calls for credentials).
 */
const MEANINGS = new Map([
  // The same exception for the secret and for its KMS key: only the message tells.
  [
    'AccessDeniedException',
    rejected(
      'permit the worker this action on the secret,' +
        ' and kms:GenerateDataKey and kms:Decrypt on its KMS key',
    ),
  ],
  [
    'InvalidRequestException',
    rejected(
      'the secret is scheduled for deletion, or another service manages it;' +
        ' restore it, or correct secretName',
    ),
  ],
  [
    'EncryptionFailure',
    unavailable('the KMS key does not encrypt; enable it, and permit the worker to use it'),
  ],
  [
    'ResourceNotFoundException',
    unavailable('the secret was just deleted, or there is no such KMS key; check kmsKeyId'),
  ],
  [
    'CredentialsProviderError',
    unavailable('no AWS credentials; give the worker a role, a profile or environment variables'),
  ],
  ['ThrottlingException', unavailable('too many requests')],
  ['ExpiredTokenException', BAD_CREDENTIALS],
  ['IncompleteSignatureException', BAD_CREDENTIALS],
  ['InvalidClientTokenId', BAD_CREDENTIALS],
  ['InvalidSignatureException', BAD_CREDENTIALS],
  ['UnrecognizedClientException', BAD_CREDENTIALS],
  [
    'RequestExpired',
    unavailable("set the clock of the worker's host: AWS finds the request too old"),
  ],
  // Secrets Manager itself says AccessDeniedException.
  ['AccessDenied', BAD_ROLE],
  ['IDPCommunicationErrorException', BAD_ROLE],
  ['IDPRejectedClaimException', BAD_ROLE],
  ['InvalidIdentityTokenException', BAD_ROLE],
]);

/** The timeout of `withTimeout` is a DOMException, whose code is a number. */
type SdkError = Partial<SecretsManagerServiceException & { code: string | number }>;

/** Codes of lost connections, which the SDK names TimeoutError, too. */
const LOST_CONNECTION = new Set<unknown>(['ECONNRESET', 'EPIPE']);

const EXCEPTION_NAME = /^[A-Za-z]{1,64}$/;

/**
 * Builds the error for a failed call. It does not quote the SDK's message, which may quote signed
 * headers, and a session token is one of them.
 *
 * @param what action and secret, such as `secretsmanager:CreateSecret for secret live-migration/…`.
 * @param timeoutMs limit for one request and for its credentials.
 */
export function callError(
  what: string,
  error: unknown,
  timeoutMs: number,
): SinkRejectedError | SinkUnavailableError {
  const { name: exception = '', code, $metadata } = error as SdkError;
  if (exception === 'TimeoutError' && !LOST_CONNECTION.has(code)) {
    return new SinkUnavailableError(
      `${what} failed (no response within ${timeoutMs} ms): check that the worker can reach AWS` +
        ' and the source of its credentials, or raise timeoutMs',
    );
  }
  // The server chooses the name, and could quote the token in it.
  const name = EXCEPTION_NAME.test(exception) ? exception : undefined;
  const status = $metadata?.httpStatusCode;
  const { SinkError, meaning } =
    MEANINGS.get(name ?? '') ??
    (status === undefined ? classifyLackOfResponse(code) : classifyStatus(status));
  const outcome =
    status === undefined
      ? (code ?? name ?? 'unknown error')
      : [status, name].filter(Boolean).join(' ');
  const message = `${what} failed (${outcome}): ${meaning}`;
  return new SinkError(message);
}

function classifyLackOfResponse(code: SdkError['code']) {
  return isCertificateError(String(code))
    ? unavailable(
        'the TLS certificate of AWS is not trusted; check endpoint, ' +
          'or add its CA with NODE_EXTRA_CA_CERTS and restart the workers',
      )
    : unavailable('no response; check that the worker can reach AWS');
}

function classifyStatus(status: number) {
  return isTemporary(status)
    ? unavailable('AWS cannot serve the request now; see its status page if that lasts')
    : rejected('AWS rejected the request; see its API reference');
}
