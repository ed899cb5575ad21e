import type { Host } from './host.ts';
import type { Runtime } from './runtime.ts';
import type { ContainerRecord } from './store.ts';

/** What an agent knows to be placed, here and elsewhere, and does about it. It is on the disk: the next agent has it too. */
export interface Placed {
  /** Starts what may run here, and stops what was placed elsewhere. */
  sync(): void;
  learn(container: ContainerRecord): void;
  /** A guard of an earlier agent has its list; one that has just begun gets what is on the disk. */
  tellNewGuard(): void;
}

const STOP_MS = 1_200;

export function createPlaced({
  name,
  host,
  runtime,
}: {
  name: string;
  host: Host;
  runtime: Runtime;
}): Placed {
  const containers = new Map<string, ContainerRecord>();
  const sync = (): void => {
    for (const { key, nodeName, term } of containers.values()) {
      if (nodeName === name) {
        if (!runtime.runsOn(key, name) && host.guard().mayStart({ instance: key, uid: key, term }))
          runtime.start(key, name);
      } else runtime.stop(key, name, { why: 'moved', withinMs: STOP_MS });
    }
  };
  const tellGuard = (): void => {
    const here = [...containers.values()].filter(({ nodeName }) => nodeName === name);
    host.order({ containers: here.map(({ key, term }) => ({ instance: key, uid: key, term })) });
  };
  return {
    sync,
    learn(container) {
      const old = containers.get(container.key);
      if ((old?.revision ?? 0) >= container.revision) return;
      containers.set(container.key, container);
      if (old?.nodeName !== name && container.nodeName !== name) return;
      tellGuard();
      sync();
    },
    tellNewGuard() {
      if (host.guard().report().containers.length === 0 && containers.size > 0) tellGuard();
    },
  };
}
