import type { Container } from '../../crds/container.ts';
import type { Seen } from '../../plan/lifecycle/record.ts';
import type { LetGo } from '../../plan/migration/source.ts';

/**
 * Which containers the work on this host leaves alone, and under which epoch: said at the end of a pass, so that no start of
 * theirs is under way. A migration goes by it before it takes a container away.
 */
export interface LetGoNotes {
  get(key: string): LetGo | undefined;
  /** @param epoch the highest that is known, from which on nothing older is acted on */
  note(key: string, letGo: LetGo): void;
  /** The container is worked on again. */
  forget(key: string): void;
}

export function createLetGoNotes(onNote: (key: string) => void): LetGoNotes {
  const notes = new Map<string, LetGo>();
  return {
    get: (key) => notes.get(key),
    note(key, letGo) {
      const old = notes.get(key);
      notes.set(key, letGo);
      const isSame = old?.uid === letGo.uid && old.epoch === letGo.epoch && old.state === letGo.state;
      if (!isSame) onNote(key);
    },
    forget: (key) => void notes.delete(key),
  };
}

/** @returns undefined while the host does not say */
export function letGoOf(container: Container, seen: Seen, epoch: number): LetGo | undefined {
  if (seen === 'unknown') return undefined;
  const uid = container.metadata.uid ?? '';
  if (seen === 'absent') return { uid, epoch, state: 'Absent' };
  const isDown = seen.status === 'Stopped' || seen.status === 'Error';
  return { uid, epoch, state: isDown ? 'Stopped' : 'Up' };
}
