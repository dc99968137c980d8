import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { ROOT, pack, readProject } from '../support/pack';
import { writeTypes } from './write-types';

/*
 * Packs `live-migration-prep-contract`, the package for callers in TypeScript: the compiled files of
 * src/contract but its schemas, whose types are written out, and the JSON Schemas. Prints the path
 * of the tarball. The argument is the folder for it, by default that of the project.
 */

const ENTRY = path.join(ROOT, 'src/contract/index.ts');
const SCHEMAS = path.join(ROOT, 'src/contract/schemas.ts');

/**
 * Versions of Temporal's SDK that a caller may have; test/packages/examples.test.ts tries the
 * oldest. With 1.15.0 and before, an Update-with-Start that is refused as already started also
 * rejects a promise that nobody has, which ends the process of the caller.
 */
const SDK_VERSIONS = '^1.16.0';

/** Writes the package into an empty folder. @throws Error when a file does not compile. */
function writePackage(folder: string): void {
  const program = createProgram(folder);
  const declarations: string[] = [];
  for (const file of program.getSourceFiles()) {
    const isOurs = path.dirname(file.fileName) === path.dirname(ENTRY) && file.fileName !== SCHEMAS;
    if (!isOurs) continue;
    program.emit(file, (name, text) => {
      writeFileSync(name, text);
      if (name.endsWith('.d.ts')) declarations.push(text);
    });
  }
  const isUsed = (name: string) =>
    declarations.some((text) => new RegExp(`\\b${name}\\b`).test(text));
  writeFileSync(path.join(folder, 'schemas.d.ts'), writeTypes(program, SCHEMAS, isUsed));
  cpSync(path.join(ROOT, 'schemas'), path.join(folder, 'schemas'), { recursive: true });
}

function createProgram(outDir: string): ts.Program {
  const config = ts.readConfigFile(path.join(ROOT, 'tsconfig.build.json'), (file) =>
    readFileSync(file, 'utf8'),
  );
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  Object.assign(options, {
    rootDir: path.dirname(ENTRY),
    outDir,
    declaration: true,
    sourceMap: false,
  });
  const program = ts.createProgram([ENTRY], options);
  const [error] = ts.getPreEmitDiagnostics(program);
  if (error) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, '\n'));
  return program;
}

const README = `# live-migration-prep-contract

What a caller of live-migration-prep needs in TypeScript or JavaScript: the call \`prepareLinkToken(client, request)\`,
the names of its workflows, Updates, Queries and failure types, the types of a request and of a receipt, and their
JSON Schemas. Only the call loads another package, @temporalio/client.

See [the documentation of live-migration-prep](${readProject().homepage}), Callers.
`;

const tarball = pack(path.resolve(ROOT, process.argv[2] ?? '.'), README, (folder) => {
  writePackage(folder);
  return {
    name: 'live-migration-prep-contract',
    description: 'Types, names and JSON Schemas for callers of live-migration-prep.',
    keywords: ['temporal', 'mongodb', 'atlas', 'live-migration', 'link-token'],
    main: './index.js',
    types: './index.d.ts',
    exports: {
      '.': { types: './index.d.ts', default: './index.js' },
      './schemas/*.json': './schemas/*.json',
      './package.json': './package.json',
    },
    peerDependencies: { '@temporalio/client': SDK_VERSIONS, '@temporalio/common': SDK_VERSIONS },
    peerDependenciesMeta: { '@temporalio/client': { optional: true } },
  };
});
console.log(tarball);
