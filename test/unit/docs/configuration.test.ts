import { z } from 'zod';
import { settingsSchema } from '../../../src/config/settings';
import { codeBlocks, page, tableBelow } from '../../support/markdown';
import { KEYS, fileIn, problemsOf, write } from '../config/configuration';

interface Node {
  default?: string | number | boolean | object | null;
  properties?: Record<string, Node>;
  required?: string[];
}

/** Every setting with its default, as docs/configuration.md writes them. A map, such as `sinks`, is one setting. */
function settingsIn({ properties = {}, required = [] }: Node, parent = ''): [string, string][] {
  return Object.entries(properties).flatMap(([key, node]) => {
    const name = `${parent}${key}`;
    if (node.properties) return settingsIn(node, `${name}.`);
    const { default: value } = node;
    if (value === undefined || value === null || typeof value === 'object') {
      return [[`\`${name}\``, required.includes(key) ? 'required' : 'none']];
    }
    return [[`\`${name}\``, `\`${String(value)}\``]];
  });
}

describe('docs/configuration.md', () => {
  const configuration = page('docs/configuration.md');

  it('has each setting, with its default', () => {
    const context = { env: {}, baseDirectory: '/', warn: () => undefined };
    const schema = settingsSchema(context, { credentials: [], sinks: [] });
    const settings = settingsIn(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node);
    const rows = tableBelow(configuration, 'Settings').map(([name, value]) => [name, value]);
    expect(rows).toEqual(settings);
  });

  it('has an example without a problem', () => {
    const [example = ''] = codeBlocks(configuration, 'yaml');
    for (const name of ['payments-client-secret', 'archive-private-key']) write(name, 'secret');
    write('sealing-keys.json', KEYS);
    const yaml = example.replaceAll('/run/secrets/', fileIn('/'));
    expect(problemsOf(yaml)).toEqual([]);
  });
});
