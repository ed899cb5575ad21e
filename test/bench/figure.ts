import { loadavg } from 'node:os';

/** One line of the benchmark's answer. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** Of the machine, over the last minute, when the figure was taken. */
  load: number;
  /** In words: `at least 0.8`. Absent: there is nothing to compare with. */
  goal?: string;
  /** Whether the goal is reached; absent when there is none. */
  holds?: boolean;
}

export function figure(name: string, value: number, unit: string): Figure {
  return { name, value: round(value), unit, load: Math.round((loadavg()[0] ?? 0) * 10) / 10 };
}

export function atLeast(name: string, value: number, unit: string, goal: number): Figure {
  return { ...figure(name, value, unit), goal: `at least ${goal} ${unit}`.trim(), holds: value >= goal };
}

export function atMost(name: string, value: number, unit: string, goal: number): Figure {
  return { ...figure(name, value, unit), goal: `at most ${goal} ${unit}`.trim(), holds: value <= goal };
}

/** @param part 0.5 is the median */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

export function formatFigures(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, goal, holds, load }) => [
    name,
    `${value} ${unit}`.trim(),
    goal ?? '',
    holds === undefined ? '' : holds ? 'holds' : 'MISSED',
    `load ${load}`,
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
