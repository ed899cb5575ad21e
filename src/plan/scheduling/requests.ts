import type { Container } from '../../crds/container.ts';
import { bytesOf, milliCpu } from '../../crds/quantity.ts';

/** What a container asks for at placement; 0 where it asks for nothing. It counts on its node while it is there, stopped or not. */
export interface Requests {
  milliCpu: number;
  memoryBytes: number;
  /** Of the root pool. */
  diskBytes: number;
}

export function requestsOf({ spec: { resources } }: Container): Requests {
  return {
    milliCpu: milliCpu(resources?.cpu),
    memoryBytes: bytesOf(resources?.memory),
    diskBytes: bytesOf(resources?.disk),
  };
}

export const DEFAULT_POOL = 'default';

export function rootPoolOf(container: Pick<Container, 'spec'>): string {
  return container.spec.rootPool ?? DEFAULT_POOL;
}
