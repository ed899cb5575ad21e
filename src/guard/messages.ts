import type { GuardedContainer, GuardOrder, GuardReport } from '../ports/guard.ts';

/** What goes over the guard's socket: one JSON value on each line, a request or its answer. */
export type GuardRequest =
  | { id: number; ask: 'report' }
  | { id: number; ask: 'order'; order: GuardOrder }
  | { id: number; ask: 'mayStart'; container: GuardedContainer };

export type GuardAnswer =
  | { id: number; report: GuardReport }
  | { id: number; done: true }
  | { id: number; may: boolean }
  | { id: number; fault: string };

const NEVER = '-Infinity';

/** JSON has no infinity. */
export function encode(message: GuardRequest | GuardAnswer): string {
  const text = JSON.stringify(message, (_key, value: unknown) =>
    value === Number.NEGATIVE_INFINITY ? NEVER : value,
  );
  return `${text}\n`;
}

/** @throws SyntaxError when it is not JSON */
export function decode(line: string): unknown {
  return JSON.parse(line, (_key, value: unknown) => (value === NEVER ? Number.NEGATIVE_INFINITY : value));
}

/** Calls `take` with each whole line of what is passed in, piece by piece. */
export function lineReader(take: (line: string) => void): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const lines = `${rest}${chunk.toString('utf8')}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') take(line);
  };
}
