import type { Output } from '../local/progress.ts';

/** How far something is: on a terminal one line that is written over again and again, elsewhere one line for each change. */
export interface ProgressLine {
  /** @param share 0 to 1; undefined: how far it is cannot be told */
  show(text: string, share?: number): void;
  /** Takes the moving line away, so that what is written next stands alone. */
  clear(): void;
}

const WIDTH = 24;

export function createProgressLine(output: Output): ProgressLine {
  let last = '';
  if (output.isTTY !== true) {
    return {
      show(text) {
        if (text === last) return;
        last = text;
        output.write(`${text}\n`);
      },
      clear: () => undefined,
    };
  }
  return {
    show(text, share) {
      output.write(`\r\u001B[K${share === undefined ? '' : `${barOf(share)} `}${text}`);
    },
    clear: () => void output.write('\r\u001B[K'),
  };
}

export function barOf(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}]`;
}

export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)}m${String(Math.round(seconds % 60)).padStart(2, '0')}s`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function formatSize(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
