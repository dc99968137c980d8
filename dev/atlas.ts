import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { startAtlasEmulator, type SeedInput } from './atlas-emulator';
import { inputProblem } from './atlas-emulator/control-routes';
import { HELP } from './atlas-emulator/help';

interface Options {
  port: number;
  host: string;
  seed?: string;
  tlsKey?: string;
  tlsCert?: string;
}

const program = new Command('atlas')
  .description('An emulator of the part of MongoDB Atlas and Cloud Manager that live migrations (push) need.')
  .option('--port <number>', '0 is any free port', portNumber, 4400)
  .option('--host <address>', 'where to listen', '127.0.0.1')
  .option('--seed <file>', 'JSON: what exists')
  .option('--tls-key <file>', 'PEM; with --tls-cert it speaks HTTPS')
  .option('--tls-cert <file>', 'PEM')
  .addHelpText('after', HELP)
  .parse();

run(program.opts<Options>()).catch((error: unknown) => program.error(`error: ${reason(error)}`));

async function run({ port, host, seed, tlsKey, tlsCert }: Options): Promise<void> {
  if ((tlsKey === undefined) !== (tlsCert === undefined)) {
    throw new Error('--tls-key and --tls-cert go together');
  }
  const emulator = await startAtlasEmulator({
    port,
    host,
    ...(seed !== undefined && { seed: JSON.parse(read(seed)) as SeedInput }),
    ...(tlsKey !== undefined &&
      tlsCert !== undefined && { https: { key: read(tlsKey), cert: read(tlsCert) } }),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void emulator.close());
  }
  console.log(`Atlas emulator at ${emulator.url}`);
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}

function reason(error: unknown): string {
  const { code, message, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') return `port ${port} is in use; choose another with --port (0 is any free one)`;
  if (code !== undefined) return message;
  try {
    return inputProblem(error);
  } catch {
    return message;
  }
}
