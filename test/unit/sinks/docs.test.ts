import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { z } from 'zod';
import { SINK_TYPES } from '../../../src/sinks';
import { linkTokenCreatedSchema } from '../../../src/sinks/webhook';
import { SINK_DOCS, blocksIn, fileNameOf, pageOf } from '../../support/sinks/docs';
import { load } from '../config/configuration';

/** A value for each environment variable of an example; one that suits every kind of secret. */
function envOf(yaml: string): Record<string, string> {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  return Object.fromEntries([...yaml.matchAll(/env: (\w+)/g)].map(([, name = '']) => [name, secret]));
}

describe.each(SINK_TYPES)('docs/sinks on the type $type', (sinkType) => {
  const { type } = sinkType;

  it('has a page with the heading: What the sink stores', () => {
    expect(pageOf(type)).toMatch(new RegExp(`^# Sink \`${type}\`\n`));
    expect(pageOf(type)).toMatch(/^## What the sink stores\n/m);
  });

  it('has an example in a block of yaml, and each is a whole configuration', async () => {
    const examples = blocksIn(pageOf(type), 'yaml');
    expect(examples.length).toBeGreaterThan(0);
    for (const yaml of examples) {
      expect(yaml).toContain(`type: ${type}\n`);
      const { sinks } = load(yaml, envOf(yaml));
      for (const make of sinks.values()) expect(await make()).toHaveProperty('deliver');
    }
  });

  it('has a table with a row for each setting, its name in backquotes', () => {
    const context = { env: {}, baseDirectory: '/', warn: () => undefined };
    const { shape } = sinkType.configSchema(context) as unknown as z.ZodObject;
    const page = pageOf(type);
    const settings = [...page.matchAll(/^\| (`\w+`(?:, `\w+`)*) +\| (?!outcome)/gm)].flatMap(
      ([, names = '']) => names.split(', ').map((name) => name.slice(1, -1)),
    );
    expect(Object.keys(shape).filter((setting) => !settings.includes(setting))).toEqual([]);
  });
});

it('has no page of a type that does not exist', () => {
  const pages = SINK_TYPES.map(({ type }) => `${fileNameOf(type)}.md`);
  expect(readdirSync(SINK_DOCS).filter((name) => !pages.includes(name))).toEqual([]);
});

it('shows an event that its schema accepts, with every field', () => {
  const [event = ''] = blocksIn(pageOf('webhook'), 'json');
  const shown: unknown = JSON.parse(event);
  expect(linkTokenCreatedSchema.parse(shown)).toEqual(shown);
});
