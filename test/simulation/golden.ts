import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Schedule } from './schedule.ts';
import { simulate } from './simulate.ts';

/**
 * Traces that are kept because they are worth reading (golden/*.log): what a file shows, the schedule, and what happens. A change of the
 * protocol that changes one shows itself in the review; `npm run golden` writes them anew.
 */
export interface Golden {
  path: string;
  name: string;
  /** The lines that say what it shows. */
  comment: string;
  schedule: Schedule;
  text: string;
}

const folder = fileURLToPath(new URL('./golden/', import.meta.url));
const SCHEDULE = '# schedule: ';

export function readGoldens(): Golden[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return names.sort().map((name) => {
    const path = `${folder}${name}`;
    const text = readFileSync(path, 'utf8');
    const lines = text.split('\n').filter((line) => line.startsWith('#'));
    const drawn = lines.find((line) => line.startsWith(SCHEDULE));
    if (drawn === undefined) throw new Error(`${name} has no line that begins with ${SCHEDULE}`);
    const comment = lines.filter((line) => line !== drawn).join('\n');
    return { path, name, comment, schedule: JSON.parse(drawn.slice(SCHEDULE.length)) as Schedule, text };
  });
}

/** What the file would be if it were written now. */
export function replay({ comment, schedule }: Pick<Golden, 'comment' | 'schedule'>): {
  text: string;
  violations: readonly string[];
} {
  const { trace, violations } = simulate(schedule, { trace: true });
  const lines = [comment, `${SCHEDULE}${JSON.stringify(schedule)}`, ...trace, ''];
  return { text: lines.join('\n'), violations };
}
