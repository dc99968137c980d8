import { DefaultLogger, type LogLevel, type Logger, type RuntimeOptions } from '@temporalio/worker';
import pino from 'pino';

type LogLevelName = Lowercase<LogLevel>;

/** Options of the Temporal runtime that put all its lines into our log, those of its native Core included. */
export function runtimeOptions(logger: Logger, { level }: { level: LogLevelName }): RuntimeOptions {
  return {
    logger,
    // Signals drain the worker, and the program decides how.
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: { core: level.toUpperCase() as LogLevel, other: 'WARN' }, forward: {} },
    },
  };
}

/** Node would print its warnings as text on standard error. */
export function logNodeWarnings(logger: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    logger.warn(message, { warning: name });
  });
}

/** Kept while standard output takes nothing. Further lines are dropped. */
const MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024;

/** Standard output. A log that cannot be written, as on a full disk, must not stop the worker. */
function standardOutput() {
  const stream = pino.destination({ dest: 1, sync: false, maxLength: MAX_UNWRITTEN_BYTES });
  stream.on('error', () => undefined);
  // pino calls it as the process ends, and it would wait for space without end.
  stream.flushSync = () => undefined;
  return stream;
}

/** One JSON object a line, on standard output. */
export function createLogger({ level }: { level: LogLevelName }): Logger {
  const options = {
    level,
    base: { service: 'live-migration-prep' },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: describeError, err: describeError },
  };
  const lines = pino(options, standardOutput());
  return new DefaultLogger(level.toUpperCase() as LogLevel, ({ level: entryLevel, message, meta = {} }) => {
    lines[entryLevel.toLowerCase() as LogLevelName](meta, message);
  });
}

/** The message of a failure says everything. Any other error is a defect, and its stack says where. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack } = error;
  // A failure of a workflow arrives from its sandbox as an Error, and only the stack has the name of its class.
  const failure = stack ? /^\w+Failure(?=: )/.exec(stack)?.[0] : 'ApplicationFailure';
  if (!failure) return { type: name, message, stack };
  return { type: 'type' in error ? error.type : failure, message };
}
