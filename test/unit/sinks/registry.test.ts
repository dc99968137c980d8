import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { SINK_TYPES } from '../../../src/sinks';
import { fileNameOf } from '../../support/sinks/docs';

const SINKS = path.resolve(__dirname, '../../../src/sinks');
const NO_SINKS = ['index.ts', 'outcomes.ts', 'sink.ts', 'utils'];

async function exportsOf(name: string): Promise<unknown[]> {
  return Object.values((await import(path.join(SINKS, name))) as Record<string, unknown>);
}

const modules = readdirSync(SINKS).filter((name) => !NO_SINKS.includes(name));

it.each(modules)(
  'src/sinks/%s exports a sink type that SINK_TYPES in src/sinks/index.ts lists',
  async (name) => {
    const exported = await exportsOf(name);
    expect(SINK_TYPES.filter((type) => exported.includes(type))).toHaveLength(1);
  },
);

it.each(SINK_TYPES)(
  'the file or folder of $type has its name, and its test the contract',
  async (sinkType) => {
    const { type } = sinkType;
    expect(modules.map((name) => path.parse(name).name)).toContain(fileNameOf(type));
    expect(await exportsOf(fileNameOf(type))).toContain(sinkType);
    const tests = path.resolve(__dirname, '../../system/sinks', `${fileNameOf(type)}.test.ts`);
    expect(readFileSync(tests, 'utf8')).toContain('testContract(');
  },
);
