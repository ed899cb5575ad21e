import { pino } from 'pino';
import type { Logger } from '../ports/logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** JSON lines on standard error, so that standard output stays for what a command answers. */
export function createLogger(level: LogLevel, fields: object = {}): Logger {
  return pino({ level, base: fields, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
