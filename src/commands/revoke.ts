import { Command } from '@commander-js/extra-typings';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { requireOptions } from './cli/options';

export const revokeCommand = ({ stdin, output, withTemporal }: ProgramContext) =>
  new Command('revoke')
    .description('delete the API keys of tokens, once their migrations are over')
    .option(
      '--from <file>',
      'a JSON object per line: a receipt, or anything else with orgId and publicApiKey;' +
        ' - for standard input (required)',
    )
    .option('--yes', 'do not ask, on a terminal')
    .addHelpText(
      'after',
      formatExamples('revoke --from receipts.jsonl', 'revoke --from receipts.jsonl --yes'),
    )
    .action(async (options) => {
      const { '--from <file>': file } = requireOptions({ '--from <file>': options.from });
      const { confirmRevocation, readTokens, revokeAll } = await import('./runs/revoke-tokens.js');
      const tokens = await readTokens(file, stdin);
      if (!options.yes) await confirmRevocation(tokens.length, stdin, output());
      await withTemporal((context) => revokeAll(context, tokens));
    });
