/** The command `npm run atlas`, and its help. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { startAtlasEmulator, type AtlasEmulatorOptions, type SeedInput } from '.';
import { inputProblem } from './controls';
import { FAULT_EXAMPLES, ROUTE_NAMES } from './faults';
import { DEFAULTS, DEFAULT_SEED } from './seed';

const { orgId, sourceOrgId, serviceAccount, apiKey, sourceApiKey } = DEFAULTS;
const { memberAccount, secondSourceOrgId, secondSourceApiKey } = DEFAULTS;

const examples = FAULT_EXAMPLES.map(
  ([what, fault]) => `  ${what}:\n    ${JSON.stringify(fault)}`,
).join('\n');

const HELP = `
What exists unless --seed says otherwise:
  Atlas organization   ${orgId}
    service account    ${serviceAccount.clientId}
                       ${serviceAccount.clientSecret}
    API key            ${apiKey.publicKey}  ${apiKey.privateKey}
    service account without the role Organization Owner
                       ${memberAccount.clientId}
                       ${memberAccount.clientSecret}
  source organization  ${sourceOrgId}
    API key            ${sourceApiKey.publicKey}  ${sourceApiKey.privateKey}
  another source       ${secondSourceOrgId}
    API key            ${secondSourceApiKey.publicKey}  ${secondSourceApiKey.privateKey}

Seed, in FILE or by PUT. A top-level key left out keeps its default, except
credentials of organizations that are not in the seed; an empty list means none:
  {"organizations": [{"id", "name"}], "sourceOrganizations": [{"id", "name"}],
   "serviceAccounts": [{"clientId", "clientSecret", "orgId", "roles": ["ORG_OWNER"]}],
   "apiKeys": [{"publicKey", "privateKey", "orgId", "roles": ["ORG_OWNER"]}],
   "settings": {...}}
Settings, with their defaults:
  ${JSON.stringify(DEFAULT_SEED.settings, null, 2).replaceAll('\n', '\n  ')}

Create a link-token (URL=http://127.0.0.1:4400):
  curl --digest --user ${apiKey.publicKey}:${apiKey.privateKey} \\
    -H 'Accept: application/vnd.atlas.2023-01-01+json' -H 'Content-Type: application/json' \\
    -d '{"accessListIps": ["192.31.196.7"]}' \\
    $URL/api/atlas/v2/orgs/${orgId}/liveMigrations/linkTokens

or with an access token:
  curl --user ${serviceAccount.clientId}:${serviceAccount.clientSecret} \\
    -d grant_type=client_credentials $URL/api/oauth/token
  and -H "Authorization: Bearer $ACCESS_TOKEN" instead of --digest and --user.

Each link-token has an API key, in GET $URL/api/atlas/v2/orgs/${orgId}/apiKeys until a DELETE, and in …/events.
dev/atlas-emulator/bin/atlas stands in for the Atlas CLI: it takes the commands of docs/api-keys.md,
docs/runbook.md and dev/acceptance.md about keys and links.

Control, never subject to faults, open to all who can reach the port:
  GET    /_emulator/state     organizations, credentials without secrets, live access tokens, link-tokens
                              created (with their text), migration links, faults that wait
  PUT    /_emulator/state     a seed: says what exists from now on; what has happened stays
  GET    /_emulator/requests  every request: on, method, path, status, challenge, startedAt; and their counts
  POST   /_emulator/faults    one fault or a list, added behind those that wait
  DELETE /_emulator/faults    no more faults
  POST   /_emulator/expire    "accessTokens" or "nonces": ends them all now
  POST   /_emulator/reset     forgets what has happened, and goes back to the first seed

  curl -d '{"on": "linkTokens", "times": 2, "status": 500}' $URL/_emulator/faults
  curl -d '"accessTokens"' $URL/_emulator/expire
  curl $URL/_emulator/requests

Faults. The first that fits a request hits it and is used up; their order is kept. They hit requests with a
valid credential, so a Digest challenge uses up none. "on" is one of
  ${ROUTE_NAMES.slice(0, 6).join(', ')},
  ${ROUTE_NAMES.slice(6).join(', ')}.
With html, body, errorCode, detail, a status from 300 on, or reset "before-body" the fault is the response and
nothing is created, unless afterCreating is set; any other fault changes only how the route's response is sent.
${examples}
`;

interface Options {
  port: string;
  host: string;
  seed?: string;
  tlsKey?: string;
  tlsCert?: string;
}

async function run({ port, host, seed, tlsKey, tlsCert }: Options): Promise<void> {
  if ((tlsKey === undefined) !== (tlsCert === undefined)) {
    throw new Error('--tls-key and --tls-cert go together');
  }
  const read = (file: string) => readFileSync(file, 'utf8');
  const options: AtlasEmulatorOptions = { port: Number(port), host };
  if (seed !== undefined) options.seed = JSON.parse(read(seed)) as SeedInput;
  if (tlsKey !== undefined && tlsCert !== undefined) {
    options.https = { key: read(tlsKey), cert: read(tlsCert) };
  }
  const emulator = await startAtlasEmulator(options);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void emulator.close());
  }
  console.log(`Atlas emulator at ${emulator.url}`);
  console.log(`For doctor and the worker:
  export MONGODB_ATLAS_BASE_URL=${emulator.url}`);
  // A seed may have other credentials.
  if (seed === undefined) {
    console.log(`  export MONGODB_ATLAS_CLIENT_ID=${serviceAccount.clientId}
  export MONGODB_ATLAS_CLIENT_SECRET=${serviceAccount.clientSecret}`);
  }
  console.log('Faults, seeds and what else it can do: npm run atlas -- --help');
}

function reason(error: unknown): string {
  try {
    return inputProblem(error);
  } catch {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'EADDRINUSE'
      ? `${message}; take any free port: npm run atlas -- --port 0`
      : message;
  }
}

if (require.main === module) {
  const program = new Command('npm run atlas --')
    .description(
      'An emulator of the part of MongoDB Atlas and Cloud Manager that live migrations (push) need.',
    )
    .option('--port <number>', '0 is any free port', '4400')
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--seed <file>', 'JSON: what exists')
    .option('--tls-key <file>', 'PEM; with --tls-cert it speaks HTTPS')
    .option('--tls-cert <file>', 'PEM')
    .addHelpText('after', HELP)
    .parse();
  run(program.opts<Options>()).catch((error: unknown) => program.error(`error: ${reason(error)}`));
}
