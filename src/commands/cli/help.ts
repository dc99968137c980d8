/** Follows the help of the program. */
export const HELP = `
Commands find Temporal by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS… or a profile file;
--address and --namespace take precedence.

Exit codes:
  0    done
  1    failed: the message says why
  2    an option is missing, unknown or not valid
  3    Temporal cannot be reached
  4    timed out waiting; the run goes on
  5    undelivered: the token exists, and the run goes on
  6    refused: a token exists, delivered or recoverable, a different request is open, or a redelivery is in progress
  7    cancelled
  130  interrupted; the run goes on`;
