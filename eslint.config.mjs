import { defineConfig } from 'eslint/config';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * The layers of src/, from the top. A file imports from its own folder and from lower layers only.
 */
const LAYERS = [
  ['client.ts', 'worker.ts'],
  ['commands', 'worker'],
  ['activities'],
  ['requests', 'doctor'],
  ['config'],
  ['atlas', 'sinks'],
  ['http', 'temporal'],
  ['secrets'],
  ['shared'],
  ['contract', 'abort.ts', 'files.ts', 'version.ts'],
];

/** The file of each command, and its folder if it has one; they share `runs` and `cli`. */
const COMMANDS = [
  'api-keys',
  'cancel',
  'doctor',
  'list',
  'redeliver',
  'schedule',
  'sealing-keys',
  'start',
  'watch',
];

const zones = [
  ...LAYERS.flatMap((layer, index) =>
    layer.map((module) => ({
      target: `./src/${module}`,
      from: LAYERS.slice(0, index + 1)
        .flat()
        .filter((other) => other !== module)
        .map((other) => `./src/${other}`),
      message: 'imports run one way: see docs/architecture.md, The folders of src/',
    })),
  ),
  {
    target: './src/workflows',
    from: './src',
    except: ['./workflows', './shared', './contract'],
    message: 'workflows import only shared/ and contract/',
  },
  ...COMMANDS.flatMap((name) =>
    [`./src/commands/${name}.ts`, `./src/commands/${name}`].map((target) => ({
      target,
      from: './src/commands',
      except: [`./${name}.ts`, `./${name}`, './runs', './cli'],
      message: 'a command imports only its own folder, runs/ and cli/',
    })),
  ),
  {
    target: './src/commands/runs',
    from: './src/commands',
    except: ['./runs', './cli'],
    message: 'what is done with runs imports no command',
  },
  {
    target: './src/commands/cli',
    from: './src/commands',
    except: ['./cli'],
    message: 'cli/ knows nothing of runs',
  },
  {
    target: './src/!(workflows)/**',
    from: './src/workflows',
    message: 'workflows are loaded as one bundle',
  },
  {
    target: './src',
    from: ['./dev', './test'],
    message: 'the product does not import what only development needs',
  },
  { target: './dev', from: './test', message: 'dev/ does not import tests' },
  {
    target: './test/unit',
    from: ['./test/system', './test/workflow', './test/packages'],
    message: 'unit tests start no process',
  },
  {
    target: './test/workflow',
    from: './test/system',
    message: 'workflow tests start no worker process',
  },
];

export default defineConfig(
  { ignores: ['dist/', '.cache/', 'node_modules/'] },
  {
    files: ['**/*.ts', '**/*.mjs'],
    extends: [...tseslint.configs.strictTypeChecked],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts', '.mjs'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [
        createNodeResolver({
          extensions: ['.ts', '.mjs', '.js'],
          extensionAlias: { '.js': ['.ts', '.js'] },
        }),
      ],
    },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      curly: ['error', 'multi-line'],
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/order': [
        'error',
        {
          groups: ['builtin', 'external', ['parent', 'sibling', 'index']],
          'newlines-between': 'never',
          alphabetize: { order: 'asc' },
        },
      ],
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
      '@typescript-eslint/no-floating-promises': 'error',
      // Leaving a field out: const { jwe: _, ...facts } = sealed.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['src/**'],
    rules: {
      // Prettier breaks no text: break a message between sentences or clauses.
      'max-len': ['error', { code: 100, ignoreRegExpLiterals: true, ignoreUrls: true }],
      // It would go past the log, and past what keeps secrets out of it.
      'no-console': 'error',
    },
  },
  {
    files: ['examples/**'],
    // They type the request that they read with an annotation: the worker validates it.
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off' },
  },
  {
    // It loads each member in a block of its own, which names the tests of that file and keeps its
    // hooks to them.
    files: ['test/**/group.test.ts'],
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    files: ['src/workflows/**', 'src/shared/!(activities).ts', 'src/contract/!(index|schemas).ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!\\.|@temporalio/(workflow|common))|contract/(schemas|index)|/activities$',
              allowTypeImports: true,
              message: 'workflow code loads neither packages nor schemas, only their types',
            },
          ],
        },
      ],
    },
  },
);
