import type { Help } from '@commander-js/extra-typings';

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
  6    refused: the state of the run does not allow it, such as a delivered or left token, a different open request, or
       a redelivery in progress
  7    cancelled
  130  interrupted; the run goes on`;

const PAIR = '--org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed0000005c01';

const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  start: [
    `start ${PAIR} --ip 192.31.196.7 --sink vault`,
    `start ${PAIR} --ip 192.31.196.7 --sink vault --dry-run`,
    `start ${PAIR} --ips-file addresses.txt --sink vault --wait --timeout 10m`,
    'start --from requests.jsonl --dry-run',
    'start --from requests.jsonl --results results.jsonl',
  ],
  watch: [`watch ${PAIR}`, `watch ${PAIR} --json --timeout 1h`],
  list: [
    'list --undelivered --sink vault',
    'list --failure AtlasRequestRejected --since 2026-11-25T09:00:00Z',
    'list --unconfirmed --report --org 64f1c0ffee5eed0000000a71',
  ],
  cancel: [`cancel ${PAIR}`],
  redeliver: [
    `redeliver ${PAIR}`,
    `redeliver ${PAIR} --sink files`,
    'redeliver --all',
    `redeliver ${PAIR} --run-id 0b3ff6a0-95cc-4c2a-a4c1-8a2a5b2b1a52`,
  ],
  restart: [
    'restart --since 2026-11-25T09:00:00Z --dry-run',
    'restart --since 2026-11-25T09:00:00Z --failure AtlasUnavailable',
  ],
  keys: ['keys --file sealing-keys.json', 'keys --file sealing-keys.json --rotate'],
  doctor: ['doctor --config live-migration-prep.yaml', 'doctor --remote'],
  'schedule create': [
    `schedule create ${PAIR} --ip 192.31.196.7 --sink vault --cron "0 6 * * 1" --timezone Europe/Dublin`,
    `schedule create ${PAIR} --ip 192.31.196.7 --sink vault --cron "0 * * * *" --jitter 30m --until 2099-01-01T00:00:00Z --note "wave 3"`,
  ],
  'schedule list': ['schedule list', 'schedule list --json'],
};

/** Follows the help of a command. */
export function examplesOf(command: string): string {
  const examples = EXAMPLES[command];
  if (!examples) return '';
  return ['', 'Examples:', ...examples.map((line) => `  live-migration-prep ${line}`)].join('\n');
}

/** Says of each option whether it is required, what it may be and what it is otherwise. */
export const optionDescription: Help['optionDescription'] = (option) => {
  const { description, mandatory, argChoices } = option;
  const defaultValue: unknown = option.defaultValue;
  const notes = [
    mandatory && 'required',
    argChoices && `one of ${argChoices.join(', ')}`,
    typeof defaultValue === 'string' && `default: ${defaultValue}`,
  ].filter(Boolean);
  return notes.length > 0 ? `${description} (${notes.join('; ')})` : description;
};
