import { Command, Option } from '@commander-js/extra-typings';
import { CLAIMS, CLAIM_NAMES, type Claim } from '../../contract/claims';
import { usageError } from './command-error';
import { collect } from './option-parsers';

// `--help` loads this file, so it imports nothing heavy.

export type RequestOptions = ReturnType<ReturnType<typeof requestCommand>['opts']> &
  Partial<Record<Claim, string>>;

export function requestCommand(name: string) {
  const command = new Command(name)
    .option('--org <id>', 'Atlas organization in which the link-token is created (required)')
    .option('--sink <name>', "name of a sink in the workers' configuration (required)")
    .option(
      '--ip <address>',
      'public address or CIDR block of an Ops Manager instance; repeatable',
      collect,
    )
    .option(
      '--ips-file <file>',
      'file with an address or block per line, - for standard input; # starts a comment',
    )
    .addOption(
      new Option('--no-access-list', 'no access list: for every source in Cloud Manager').conflicts(
        ['ip', 'ipsFile'],
      ),
    )
    .option('--source-org <id>', 'Cloud Manager organization that will use the token');
  for (const claim of CLAIM_NAMES) {
    command.option(`--${toKebabCase(claim)} <text>`, `${CLAIMS[claim]}, kept for the audit trail`);
  }
  return command;
}

/** Commander reads `--change-reference` into `changeReference`. */
function toKebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * Requires options, and names every missing one: commander would name one at a time, and knows
 * none that another replaces.
 *
 * @param values by the flags of their options.
 * @throws CommandError that names every option without a value.
 */
export function requireOptions<V extends Record<string, unknown>>(values: V) {
  const missing = Object.keys(values).filter((flags) => values[flags] === undefined);
  if (missing.length > 0) {
    throw usageError(['required options are missing:', ...missing.map((flags) => `  ${flags}`)]);
  }
  return values as { [F in keyof V]: NonNullable<V[F]> };
}

/** The argument of commands for one run. */
export const RUN =
  'the run as `list` prints it, such as <org id>/<source org id>, or a workflow id';

/**
 * @param option names other runs, with its value.
 * @returns the workflow id; null with the option.
 * @throws CommandError unless one of both is given.
 */
export function requireRunOr(
  option: string,
  value: unknown,
  workflowId: string | undefined,
): string | null {
  if ((workflowId === undefined) === (value === undefined)) {
    throw usageError(`name one run as list prints it, or add ${option}`);
  }
  return workflowId ?? null;
}
