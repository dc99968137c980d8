import { DefaultLogger, type LogLevel, type Logger } from '@temporalio/worker';
import pino from 'pino';
import { escapeControls } from '../shared/text';

type LogLevelName = Lowercase<LogLevel>;

/** Logs Node's warnings, which Node itself would print as text on standard error. */
export function logNodeWarnings(logger: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    logger.warn(message, { warning: name });
  });
}

/** The buffer for a standard output that is blocked. Further lines are dropped. */
const MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024;

/**
 * Creates the stream of the log. If it cannot be written, such as on a full disk, the worker goes
 * on.
 */
function standardOutput() {
  const stream = pino.destination({ dest: 1, sync: false, maxLength: MAX_UNWRITTEN_BYTES });
  stream.on('error', () => undefined);
  // pino calls it when the process ends, and it could wait for space for ever.
  stream.flushSync = () => undefined;
  return stream;
}

export function createLogger({ level }: { level: LogLevelName }): Logger {
  const options = {
    level,
    base: { service: 'live-migration-prep' },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    // JSON escapes neither C1 controls nor marks of direction, which strangers can put into names
    // and messages.
    hooks: { streamWrite: (line: string) => `${escapeControls(line.trimEnd())}\n` },
    serializers: { error: serializeError, err: serializeError },
  };
  const lines = pino(options, standardOutput());
  return new DefaultLogger(
    level.toUpperCase() as LogLevel,
    ({ level: entryLevel, message, meta }) => {
      // The 300 characters of Temporal's task token would push the reason out of sight.
      lines[entryLevel.toLowerCase() as LogLevelName]({ ...meta, taskToken: undefined }, message);
    },
  );
}

/** Reduces a failure to its message; only a defect needs its stack. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack } = error;
  // A failure of a workflow arrives as an Error, and only its stack has the name of its class.
  const failure = stack ? /^\w+Failure(?=: )/.exec(stack)?.[0] : 'ApplicationFailure';
  if (!failure) return { type: name, message, stack };
  return { type: 'type' in error ? error.type : failure, message };
}
