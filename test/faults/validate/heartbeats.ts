import type { Beat, RunRecord } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';

/** The life of one start of a container, as its heartbeats tell. */
export interface Life {
  host: string;
  boot: string;
  firstMs: number;
  lastMs: number;
  beats: number;
}

/** The clock that the heartbeats read has steps of this. */
const STEP_MS = 10;

/** In the order of their first lines. */
export function livesOf(beats: readonly Beat[]): Life[] {
  const lives = new Map<string, Life>();
  for (const { host, boot, atMs } of beats) {
    const life = lives.get(boot);
    if (life === undefined) lives.set(boot, { host, boot, firstMs: atMs, lastMs: atMs, beats: 1 });
    else Object.assign(life, { lastMs: atMs, beats: life.beats + 1, host: hostOf(life.host, host) });
  }
  return [...lives.values()];
}

/** The first lines may not know it yet. */
const hostOf = (known: string, said: string): string => (known === '?' ? said : known);

/**
 * A container never has two live writers. All write into the same file, so the order of the lines is that of the writes:
 * one that writes again after another has begun was alive at that moment, whatever any clock says. The clock says how long.
 */
export function findDoubleLives({ beats }: Pick<RunRecord, 'beats'>): Finding[] {
  return [...beats].flatMap(([container, lines]) => doubleLives(container, lines));
}

function doubleLives(container: string, beats: readonly Beat[]): Finding[] {
  const findings: Finding[] = [];
  let last: Life | undefined;
  for (const life of livesOf(beats)) {
    if (last !== undefined && life.firstMs < last.lastMs - STEP_MS) {
      const forMs = Math.round(Math.min(life.lastMs, last.lastMs) - life.firstMs);
      findings.push(
        ...findingOf('one live writer')(
          `${container} ran twice for ${forMs} ms: on ${where(last)} until ${last.lastMs} ms, and on ${where(life)} from ${life.firstMs} ms on`,
        ),
      );
    }
    if (last === undefined || life.lastMs >= last.lastMs) last = life;
  }
  return findings;
}

const where = ({ host, boot }: Life): string => `${host} (${boot.slice(0, 8)})`;
