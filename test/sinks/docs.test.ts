import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../src/config';

const DOCS = path.resolve(__dirname, '../../docs/sinks');
const SIGNING_SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const ENV = {
  MONGODB_ATLAS_CLIENT_ID: 'mdb_sa_id_x',
  MONGODB_ATLAS_CLIENT_SECRET: 'mdb_sa_sk_x',
  LIVE_MIGRATION_PREP_SEALING_KEYS: JSON.stringify({
    keys: [{ kty: 'oct', kid: 'one', alg: 'A256GCM', k: randomBytes(32).toString('base64url') }],
  }),
  WEBHOOK_SECRET: SIGNING_SECRET,
  WEBHOOK_SECRET_BEFORE: SIGNING_SECRET,
  VAULT_TOKEN: 'x',
  VAULT_ROLE_ID: 'x',
  VAULT_SECRET_ID: 'x',
  CLOUD_MANAGER_PUBLIC_KEY: 'x',
  CLOUD_MANAGER_PRIVATE_KEY: 'x',
};

const pages = readdirSync(DOCS).map((name) => ({ name, text: readFileSync(path.join(DOCS, name), 'utf8') }));
const examples = pages.flatMap(({ name, text }) =>
  [...text.matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, yaml = '']) => ({ name, yaml })),
);

it('has a page with an example for each type of sink', () => {
  const types = examples.map(({ yaml }) => /type: (\w+)/.exec(yaml)?.[1]);
  expect(new Set(types)).toEqual(new Set(['file', 'webhook', 'vault', 'awsSecretsManager', 'cloudManager']));
});

it.each(examples)('the example in $name is a whole configuration', async ({ yaml }) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sink-docs-'));
  try {
    writeFileSync(path.join(folder, 'config.yaml'), yaml);
    const { sinks } = loadConfig(ENV, path.join(folder, 'config.yaml'));
    for (const make of sinks.values()) expect(await make()).toHaveProperty('deliver');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
