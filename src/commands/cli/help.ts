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
