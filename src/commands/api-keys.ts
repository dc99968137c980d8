import { Command } from '@commander-js/extra-typings';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { parseOrgId } from './cli/option-parsers';
import { requireOptions } from './cli/options';

export function apiKeysCommand({ stdin, withTemporal }: ProgramContext) {
  return new Command('api-keys')
    .description(
      "find an organization's API keys of link-tokens, and the token of each; deletes nothing",
    )
    .option('--org <id>', 'Atlas organization (required)', parseOrgId)
    .option(
      '--keys <files...>',
      'its API keys, as the Atlas CLI lists them, page by page; - for standard input (required)',
    )
    .addHelpText(
      'after',
      formatExamples(
        'api-keys --org 64f1c0ffee5eed0000000a71 --keys keys.json',
        'api-keys --org 64f1c0ffee5eed0000000a71 --keys keys-1.json keys-2.json',
      ),
    )
    .action(async (options) => {
      const { '--org <id>': orgId, '--keys <files...>': files } = requireOptions({
        '--org <id>': options.org,
        '--keys <files...>': options.keys,
      });
      const [{ readKeys }, { printKeys }] = await Promise.all([
        import('./api-keys/read-keys.js'),
        import('./api-keys/print-keys.js'),
      ]);
      const keys = await readKeys(files, orgId, stdin);
      await withTemporal((context) => printKeys(context, orgId, keys));
    });
}
