import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { SINK_TYPES } from '../../../src/sinks';
import { linkTokenCreatedSchema } from '../../../src/sinks/webhook';
import { ROOT, codeBlocks, page, sectionBelow, tableBelow } from '../../support/markdown';
import { load } from '../config/configuration';

/** Makes `aws-secrets-manager` of `awsSecretsManager`. */
const nameOf = (type: string) => type.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const OTHERS = ['index.ts', 'outcomes.ts', 'sink.ts', 'utils', 'contract.ts'];

it.each(['src/sinks', 'docs/sinks', 'test/system/sinks'])('%s has each type that is registered', (folder) => {
  const names = readdirSync(path.join(ROOT, folder)).filter((name) => !OTHERS.includes(name));
  const types = SINK_TYPES.map(({ type }) => nameOf(type));
  expect(names.map((name) => name.replace(/\..*/, '')).sort()).toEqual(types.sort());
});

/** Makes a value for each environment variable of an example; one that suits every kind of secret. */
function envOf(yaml: string): Record<string, string> {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  return Object.fromEntries([...yaml.matchAll(/env: (\w+)/g)].map(([, name = '']) => [name, secret]));
}

interface Properties {
  properties?: Record<string, { default?: string | number | boolean | object }>;
  required?: string[];
}

describe.each(SINK_TYPES)('the sink type $type', (sinkType) => {
  const { type } = sinkType;
  const found = page(`docs/sinks/${nameOf(type)}.md`);

  it('has a system test that tests the contract of a sink', () => {
    const test = path.join(ROOT, 'test/system/sinks', `${nameOf(type)}.test.ts`);
    expect(readFileSync(test, 'utf8')).toContain('testContract(');
  });

  it('has a page with its settings, their defaults and what it stores', () => {
    const context = { env: {}, baseDirectory: '/', warn: () => undefined };
    const schema = z.toJSONSchema(sinkType.configSchema(context), { io: 'input', unrepresentable: 'any' });
    const { properties = {}, required = [] } = schema as Properties;
    const rows = tableBelow(found, `Sink \`${type}\``);
    const settings = rows.flatMap(([names = '', value]) =>
      names.split(', ').map((name) => [name.replaceAll('`', ''), value]),
    );
    const defaults = Object.entries(properties).map(([name, { default: value }]): [string, unknown] => {
      if (value !== undefined && typeof value !== 'object') return [name, `\`${value}\``];
      return [name, required.includes(name) ? 'required' : expect.not.stringMatching(/`|required/)];
    });
    expect(Object.fromEntries(settings)).toEqual(Object.fromEntries(defaults));
    expect(sectionBelow(found, 'What the sink stores')).toMatch(/\w/);
  });

  it('has an example, and each is a whole configuration', async () => {
    const examples = codeBlocks(found, 'yaml');
    expect(examples.length).toBeGreaterThan(0);
    for (const yaml of examples) {
      expect(yaml).toContain(`type: ${type}\n`);
      const { sinks } = load(yaml, envOf(yaml));
      for (const make of sinks.values()) expect(await make()).toHaveProperty('deliver');
    }
  });
});

it('docs/sinks/webhook.md shows an event that its schema accepts, with every field', () => {
  const [event = ''] = codeBlocks(page('docs/sinks/webhook.md'), 'json');
  const shown: unknown = JSON.parse(event);
  expect(linkTokenCreatedSchema.parse(shown)).toEqual(shown);
});
