import type { Client } from '@temporalio/client';
import type { Io, Output } from './output';

/** The services of the program for its commands. The global options are known once an action runs. */
export interface ProgramContext {
  stdin: Io['stdin'];
  /** Returns the environment, in which the global options replace the settings of Temporal. */
  env: () => NodeJS.ProcessEnv;
  output: () => Output;
  /** Runs the work of a command that calls Temporal. */
  withTemporal: (work: (context: CommandContext) => Promise<void>) => Promise<void>;
}

/** The client, task queue and output of a command that calls Temporal. */
export interface CommandContext {
  client: Client;
  /** The task queue of the workers. */
  taskQueue: string;
  /** True when the task queue is an option of this command line, not the default. */
  isTaskQueueGiven: boolean;
  output: Output;
}
