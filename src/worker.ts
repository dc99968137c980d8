#!/usr/bin/env node
import './shared/require-modern-node';
import { Command } from '@commander-js/extra-typings';
import { DEFAULT_CONFIG_FILE, loadConfig } from './config';
import { VERSION } from './version';
import { runWorker } from './worker/run-worker';

async function main(): Promise<void> {
  const { config: configFile } = new Command('live-migration-prep-worker')
    .description(
      'Runs the worker that creates link-tokens and delivers them to the configured sinks.',
    )
    .version(VERSION, '--version', 'print the version')
    .option(
      '--config <file>',
      `configuration file (else LIVE_MIGRATION_PREP_CONFIG, else ${DEFAULT_CONFIG_FILE})`,
    )
    .parse()
    .opts();
  await runWorker(loadConfig(process.env, configFile));
}

/** Allows for the last lines of the log, which are written asynchronously. */
const END_AFTER_MS = 1000;

main().then(
  // A program that an SDK started, such as one that fetches credentials, may keep the process.
  () => setTimeout(() => process.exit(), END_AFTER_MS).unref(),
  (error: unknown) => {
    process.stderr.write(`live-migration-prep-worker: ${(error as Error).message}\n`);
    process.exit(1);
  },
);
