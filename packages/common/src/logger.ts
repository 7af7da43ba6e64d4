import pino from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Logs are events: a constant message and structured fields, as in
 * `logger.warn({ diskId }, 'disk fenced')`. Secrets never go in: no credentials, signatures,
 * session keys or object bytes.
 */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** A logger that writes one JSON object a line to standard output, unbuffered. */
export function createLogger(level: LogLevel, fields: LogFields): Logger {
  return pino({
    level,
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
  });
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
