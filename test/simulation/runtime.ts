import type { World } from './world.ts';

/** The daemons of all hosts together, and the judge: it knows what truly runs where. */
export interface Runtime {
  start(key: string, node: string): void;
  stop(key: string, node: string, why: string): void;
  stopAll(node: string, why: string): void;
  /** The host lost its power. */
  lose(node: string): void;
  runningOn(key: string): readonly string[];
  /** What broke a promise; empty while none did. */
  readonly violations: readonly string[];
  readonly stops: number;
}

/** A stop through the daemon, or by SIGKILL after a second. */
const STOP_MS = [50, 1_200] as const;

export function createRuntime(world: World): Runtime {
  /** `until` is set while the instance is being stopped; it counts as running until then. */
  const running = new Map<string, { key: string; node: string; stopping: boolean }>();
  const violations: string[] = [];
  let stops = 0;

  const runningOn = (key: string): string[] => {
    const nodes: string[] = [];
    for (const instance of running.values()) if (instance.key === key) nodes.push(instance.node);
    return nodes;
  };

  const stop = (key: string, node: string, why: string): void => {
    const instance = running.get(`${key} ${node}`);
    if (instance === undefined || instance.stopping) return;
    instance.stopping = true;
    stops++;
    world.log(node, `stops ${key} (${why})`);
    world.at(world.now + world.between(...STOP_MS), () => {
      if (running.get(`${key} ${node}`) === instance) {
        running.delete(`${key} ${node}`);
        world.log(node, `${key} has stopped`);
      }
    });
  };

  return {
    violations,
    get stops() {
      return stops;
    },
    runningOn,
    stop,
    start(key, node) {
      const id = `${key} ${node}`;
      if (running.has(id)) return;
      world.log(node, `starts ${key}`);
      const others = runningOn(key);
      if (others.length > 0) {
        violations.push(`${key} starts on ${node} while it runs on ${others.join(', ')}`);
        world.log('JUDGE', violations.at(-1) as string);
      }
      running.set(id, { key, node, stopping: false });
    },
    stopAll(node, why) {
      for (const instance of running.values()) if (instance.node === node) stop(instance.key, node, why);
    },
    lose(node) {
      for (const [id, instance] of running) if (instance.node === node) running.delete(id);
    },
  };
}
