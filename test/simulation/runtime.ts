import type { World } from './world.ts';

/** The daemons of all hosts together, and the judge: it knows what truly runs where. */
export interface Runtime {
  start(key: string, node: string): void;
  stop(key: string, node: string, stop: { why: string; withinMs: number }): void;
  stopAll(node: string, stop: { why: string; withinMs: number }): void;
  /** The host lost its power. */
  lose(node: string): void;
  sleep(node: string): void;
  /** @param isLate whether the permission of what ran has ended meanwhile: then it is not counted until `settle` */
  wake(node: string, isLate: boolean): void;
  /** What was late on this node counts again, since its permission is back; or should have stopped by now. */
  settle(node: string, isPermitted: boolean): void;
  runsOn(key: string, node: string): boolean;
  runningOn(key: string): readonly string[];
  /** What broke a promise; empty while none did. */
  readonly violations: readonly string[];
  readonly stops: number;
  readonly starts: number;
}

interface Instance {
  key: string;
  node: string;
  /** It counts as running until it has stopped. */
  isStopping: boolean;
  isAsleep: boolean;
  /** It woke on a host whose deadline had passed in its sleep: docs/design/0003 says what is not promised then. */
  isLate: boolean;
}

export function createRuntime(world: World): Runtime {
  let instances: Instance[] = [];
  const violations: string[] = [];
  let stops = 0;
  let starts = 0;

  const find = (key: string, node: string): Instance | undefined =>
    instances.find((instance) => instance.key === key && instance.node === node);
  const blame = (text: string): void => {
    violations.push(text);
    world.log('JUDGE', text);
  };
  /** What is started, or wakes, must find itself alone. */
  const judge = (instance: Instance, what: string): void => {
    for (const other of instances) {
      if (other === instance || other.key !== instance.key || other.isAsleep || other.isLate) continue;
      blame(`${instance.key} ${what} on ${instance.node} while it runs on ${other.node}`);
    }
  };
  const remove = (instance: Instance): void => {
    instances = instances.filter((other) => other !== instance);
  };

  const stopOne = (instance: Instance, { why, withinMs }: { why: string; withinMs: number }): void => {
    if (instance.isStopping) return;
    instance.isStopping = true;
    stops++;
    world.log(instance.node, `stops ${instance.key} (${why})`);
    const stopped = (): void => {
      if (!instances.includes(instance)) return;
      if (instance.isAsleep) return world.at(world.now + 50, stopped);
      remove(instance);
      world.log(instance.node, `${instance.key} has stopped`);
    };
    world.at(world.now + 20 + world.random() * (withinMs - 20), stopped);
  };

  return {
    violations,
    get stops() {
      return stops;
    },
    get starts() {
      return starts;
    },
    runsOn: (key, node) => find(key, node) !== undefined,
    runningOn: (key) => instances.filter((instance) => instance.key === key).map(({ node }) => node),
    start(key, node) {
      if (find(key, node) !== undefined) return;
      const instance: Instance = { key, node, isStopping: false, isAsleep: false, isLate: false };
      starts++;
      world.log(node, `starts ${key}`);
      judge(instance, 'starts');
      instances.push(instance);
    },
    stop(key, node, stop) {
      const instance = find(key, node);
      if (instance !== undefined) stopOne(instance, stop);
    },
    stopAll(node, stop) {
      for (const instance of instances) if (instance.node === node) stopOne(instance, stop);
    },
    lose(node) {
      instances = instances.filter((instance) => instance.node !== node);
    },
    sleep(node) {
      for (const instance of instances) if (instance.node === node) instance.isAsleep = true;
    },
    wake(node, isLate) {
      for (const instance of instances) {
        if (instance.node !== node) continue;
        instance.isAsleep = false;
        instance.isLate = isLate;
        if (!isLate) judge(instance, 'wakes');
      }
    },
    settle(node, isPermitted) {
      for (const instance of instances) {
        if (instance.node !== node || !instance.isLate || instance.isAsleep) continue;
        if (!isPermitted) blame(`${instance.key} goes on for too long after ${node} woke`);
        // What the guard has begun to stop ends as late.
        if (isPermitted && instance.isStopping) continue;
        instance.isLate = false;
        if (isPermitted) judge(instance, 'goes on');
      }
    },
  };
}
