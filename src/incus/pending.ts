import { type Config, PENDING_KEY, waitsForRestart } from './settings.ts';

/**
 * Which settings of a running instance hold only from its next start on. The daemon accepts and stores every change, but
 * tells nobody what it could not apply. So the values of the last start are noted beside the settings, together with the
 * moment of that start: a note of an earlier start is void. Pure.
 */
interface Note {
  startedAt: string;
  /** Values at that start; null where there was none. */
  was: Record<string, string | null>;
}

/**
 * @param current the instance's configuration as it is now
 * @param desired what it will be
 * @param startedAt when the daemon last started it, in the daemon's own words
 * @returns the note to keep (undefined: nothing is pending) and the names of what is pending
 */
export function pendingAfter(
  current: Config,
  desired: Config,
  startedAt: string,
): { note: string | undefined; keys: string[] } {
  const known = readNote(current[PENDING_KEY], startedAt);
  const was: Note['was'] = {};
  const keys = new Set([...Object.keys(current), ...Object.keys(desired), ...Object.keys(known)]);
  for (const key of [...keys].sort()) {
    if (/^(volatile|image)\./.test(key) || !waitsForRestart(key)) continue;
    const started = key in known ? (known[key] ?? null) : (current[key] ?? null);
    if ((desired[key] ?? null) !== started) was[key] = started;
  }
  const pending = Object.keys(was);
  return {
    note: pending.length === 0 ? undefined : JSON.stringify({ startedAt, was } satisfies Note),
    keys: pending,
  };
}

/** Whether `key` has another value than at the last start. */
export function isStillPending(note: string | undefined, key: string, startedAt: string): boolean {
  return key in readNote(note, startedAt);
}

/** The note of a container that has moved while it ran: it is still what was started at the source. */
export function restamped(note: string | undefined, startedAt: string): string | undefined {
  if (note === undefined) return undefined;
  try {
    return JSON.stringify({ ...(JSON.parse(note) as Note), startedAt });
  } catch {
    // As below.
    return undefined;
  }
}

function readNote(text: string | undefined, startedAt: string): Note['was'] {
  if (text === undefined) return {};
  try {
    const note = JSON.parse(text) as Note;
    return note.startedAt === startedAt ? note.was : {};
  } catch {
    // Someone wrote over our note; what it said is lost, what is true now counts.
    return {};
  }
}
