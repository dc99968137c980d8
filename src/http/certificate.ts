/** Codes of Node's verification of certificates (OpenSSL's names) and host names. */
const INVALID_CERTIFICATE = new RegExp(
  '^(CERT_|CRL_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN' +
    '|INVALID_(CA|PURPOSE)|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|PATH_LENGTH_EXCEEDED' +
    '|HOSTNAME_MISMATCH)',
);

/** Tells whether an error code means that the server's certificate is not trusted. */
export function isCertificateError(code: string): boolean {
  return INVALID_CERTIFICATE.test(code);
}
