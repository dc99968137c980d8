import { DOCS_URL } from '../../version';

/**
 * Formats examples for the end of a command's help. Without them it is only the address of the
 * documentation.
 */
export function formatExamples(...examples: string[]): string {
  const lines = examples.map((example) => `  live-migration-prep ${example}\n`);
  const heading = lines.length > 0 ? '\nExamples:\n' : '';
  return `${heading}${lines.join('')}\nDocumentation: ${DOCS_URL}/commands.md`;
}

/** Ends the help of the program. */
export const PROGRAM_HELP = `
Commands find Temporal by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS…
or a profile file; --address and --namespace take precedence. Commands that are printed,
also by workers, may lack these two and --task-queue: repeat those that you gave.

Exit codes:
  0    done
  1    failed: the message says why
  2    an option is missing, unknown or not valid
  3    Temporal cannot be reached
  4    timed out waiting; the run goes on
  5    undelivered: the token exists, and the run goes on
  6    refused, such as when a token already exists; the message says why
  7    cancelled
  130  interrupted; the run goes on
${formatExamples()}`;
