import type { Client } from '@temporalio/client';
import type { Io, Output } from './output';

/** The program as its commands see it. The global options are known once an action runs. */
export interface ProgramContext {
  stdin: Io['stdin'];
  /** Returns the environment, in which the global options replace the settings of Temporal. */
  env: () => Promise<NodeJS.ProcessEnv>;
  output: () => Output;
  withTemporal: (work: (context: CommandContext) => Promise<void>) => Promise<void>;
}

export interface CommandContext {
  client: Client;
  taskQueue: string;
  /** True if --task-queue was given, which `list` tells from the default one. */
  isTaskQueueGiven: boolean;
  output: Output;
}
