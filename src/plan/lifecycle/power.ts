import type { Container } from '../../crds/container.ts';

/** Whether the container is to run: people want it to, and no maintenance of its node keeps it off. */
export function isToRun({ spec, status }: Pick<Container, 'spec' | 'status'>): boolean {
  return spec.power !== 'Stopped' && status?.stoppedFor === undefined;
}
