import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { BEAT_FILE } from './heartbeat-image.ts';
import type { Beat } from './record.ts';

/** Heartbeats of all containers, each line read once: a file grows by 50 of them a second. */
export interface BeatReader {
  /** All up to now, of all files that the container has ever had. */
  read(container: string): readonly Beat[];
}

interface Progress {
  inode: number;
  offset: number;
  /** The begin of a line whose rest was not written yet. */
  rest: string;
  beats: Beat[];
}

/** @param sharedDir the folder of the pool on which the containers' volumes `beat` are */
export function createBeatReader(sharedDir: string): BeatReader {
  const known = new Map<string, Progress>();
  return {
    read(container) {
      const progress = known.get(container) ?? { inode: 0, offset: 0, rest: '', beats: [] };
      known.set(container, progress);
      readOn(join(sharedDir, 'volumes', `default_${container}_beat`, BEAT_FILE), progress);
      return progress.beats;
    },
  };
}

function readOn(path: string, progress: Progress): void {
  const file = openOrNothing(path);
  if (file === undefined) return;
  try {
    const { ino, size } = fstatSync(file);
    if (ino !== progress.inode || size < progress.offset)
      Object.assign(progress, { inode: ino, offset: 0, rest: '' });
    const buffer = Buffer.alloc(size - progress.offset);
    const count = readSync(file, buffer, 0, buffer.length, progress.offset);
    progress.offset += count;
    const lines = `${progress.rest}${buffer.toString('latin1', 0, count)}`.split('\n');
    progress.rest = lines.pop() ?? '';
    for (const line of lines) {
      const beat = parseBeat(line);
      if (beat !== undefined) progress.beats.push(beat);
    }
  } finally {
    closeSync(file);
  }
}

/** @returns undefined for a line that was cut short by a crash */
export function parseBeat(line: string): Beat | undefined {
  const [host = '', boot = '', count, seconds, ...rest] = line.split(' ');
  if (boot.length !== 36 || seconds === undefined || !/\.\d\d$/.test(seconds) || rest.length > 0)
    return undefined;
  return { host, boot, count: Number(count), atMs: Math.round(Number(seconds) * 1_000) };
}

function openOrNothing(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
