import { findCondition } from '../../crds/conditions.ts';
import type { Container } from '../../crds/container.ts';
import { RESTORE_ANNOTATION } from '../../crds/kind.ts';
import type { SchedulingFacts } from '../scheduling/facts.ts';
import { planPlacement } from '../scheduling/placement.ts';

/**
 * Whether a container may go back to the node that it was lost on: it is annotated with `hostler.dev/restore: Auto`, people
 * want it to be off, and the agent of the node where it is now has said of this very spec that it is. So nothing that
 * runs is ever stopped for it. Whoever switches it on meanwhile makes a new version of it, and the move back, which is
 * conditional on the old one, fails.
 */
export function mayGoBack({ metadata, spec, status }: Container): boolean {
  const ready = findCondition(status?.conditions, 'Ready');
  return (
    metadata.annotations?.[RESTORE_ANNOTATION] === 'Auto' &&
    metadata.deletionTimestamp === undefined &&
    spec.power === 'Stopped' &&
    status?.phase === 'Stopped' &&
    ready?.reason === 'PoweredOff' &&
    ready.observedGeneration === metadata.generation
  );
}

/** Whether `home` can take it now. */
export function hasRoomAt(container: Container, home: string, facts: SchedulingFacts): boolean {
  const { spec } = container;
  const pinned = { ...container, spec: { ...spec, placement: { ...spec.placement, nodeName: home } } };
  return planPlacement(pinned, facts).fits;
}
