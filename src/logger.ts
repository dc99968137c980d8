import { ApplicationFailure } from '@temporalio/common';
import type { Logger, LogLevel } from '@temporalio/worker';
import pino from 'pino';
import type { Config } from './config';

/** Structured lines on standard output, for us and for the SDK (Temporal's Core included) alike. */
export function createLogger({ level }: Config['log']): Logger {
  const lines = pino({
    level,
    base: { service: 'live-migration-prep' },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: describeError, err: describeError },
  });
  const log = (logLevel: LogLevel, message: string, meta: object = {}) => {
    lines[PINO_LEVELS[logLevel]](meta, message);
  };
  return {
    log,
    trace: (message, meta) => log('TRACE', message, meta),
    debug: (message, meta) => log('DEBUG', message, meta),
    info: (message, meta) => log('INFO', message, meta),
    warn: (message, meta) => log('WARN', message, meta),
    error: (message, meta) => log('ERROR', message, meta),
  };
}

const PINO_LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Our failures say all in their message; the stack of anything else is what one needs to mend it. */
function describeError(error: unknown): unknown {
  if (error instanceof ApplicationFailure) return { type: error.type, message: error.message };
  if (error instanceof Error) return { type: error.name, message: error.message, stack: error.stack };
  return error;
}
