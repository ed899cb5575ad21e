import { createDisruptionBudgetController } from '../../src/controllers/disruptionbudget/controller.ts';
import type { ControllerDeps } from '../../src/controllers/deps.ts';
import { createDrainController } from '../../src/controllers/drain/controller.ts';
import { leadingStore } from '../../src/controllers/leading-store.ts';
import { createLeaseView } from '../../src/controllers/lease-view.ts';
import { createRebalanceController } from '../../src/controllers/rebalance/controller.ts';
import { createRelocations } from '../../src/controllers/relocations.ts';
import { type Container, containerKind } from '../../src/crds/container.ts';
import { type Migration, migrationKind } from '../../src/crds/migration.ts';
import { type Node, nodeKind, type NodeSpec } from '../../src/crds/node.ts';
import type { KubeObject } from '../../src/crds/object.ts';
import { isFinished } from '../../src/plan/relocation/moves.ts';
import { createSchedulingFacts } from '../../src/plan/scheduling/facts.ts';
import { type ControllerTrial, startTrial } from './controller-trial.ts';

/** The controllers that make Migrations, alone; what becomes of the migrations is for the test to say. */
export interface DrainTrial extends ControllerTrial {
  node(name: string): Node;
  container(name: string): Container;
  /** Those that go on. */
  active(): Migration[];
  /** `web to b` for each of them. */
  asked(): string[];
  setSpec(node: string, spec: NodeSpec): Promise<void>;
  patchStatus(container: string, status: object): Promise<void>;
  /** The migration of `container` has moved it, and what depends on that happens. */
  succeed(container: string): Promise<void>;
  fail(container: string, message: string): Promise<void>;
  /** Round after round, until nothing goes on any more. @returns how many have moved */
  succeedAll(): Promise<number>;
}

const { signal } = new AbortController();
const MANY = 200;

export async function startDrains(...objects: KubeObject[]): Promise<DrainTrial> {
  const trial = await startTrial((deps, isLeading) => {
    const store = leadingStore(deps.store, isLeading);
    const leases = createLeaseView({ ...deps, store });
    const leading: ControllerDeps = { ...deps, store, leases, facts: createSchedulingFacts() };
    const relocations = createRelocations(leading);
    return [
      leases,
      createDrainController(leading, relocations),
      createRebalanceController(leading, relocations),
      createDisruptionBudgetController(leading, relocations),
    ];
  }, objects);
  const { store, clock } = trial;
  const find = <T extends KubeObject>(all: readonly T[], name: string): T => {
    const found = all.find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`There is no ${name}`);
    return found;
  };
  const now = (): string => new Date(clock.nowMs()).toISOString();
  const active = (): Migration[] => store.all<Migration>(migrationKind).filter((one) => !isFinished(one));
  const end = async (name: string, phase: 'Succeeded' | 'Failed', message: string): Promise<void> => {
    const migration = active().find(({ spec }) => spec.container === name);
    if (migration === undefined) throw new Error(`${name} does not move`);
    const { nodeName = '', epoch = 0 } = drains.container(name).status ?? {};
    const target = migration.spec.targetNode ?? '';
    if (phase === 'Succeeded') await drains.patchStatus(name, { nodeName: target, epoch: epoch + 2 });
    const said = {
      type: 'Succeeded',
      status: phase === 'Succeeded' ? 'True' : 'False',
      reason: phase,
      message,
    };
    const status = {
      phase,
      source: nodeName,
      target,
      epoch: epoch + (phase === 'Succeeded' ? 2 : 0),
      completedAt: now(),
      conditions: [{ ...said, lastTransitionTime: now() }],
    };
    const { namespace = '', name: own } = migration.metadata;
    await store.mergePatch(
      migrationKind,
      { namespace, name: own },
      { body: { status }, subresource: 'status' },
      signal,
    );
    await trial.settle();
  };
  const drains: DrainTrial = Object.assign(trial, {
    node: (name: string) => find(store.all<Node>(nodeKind), name),
    container: (name: string) => find(store.all<Container>(containerKind), name),
    active,
    asked: () =>
      active()
        .map(({ spec }) => `${spec.container} to ${spec.targetNode}`)
        .sort(),
    async setSpec(name: string, spec: NodeSpec) {
      await store.mergePatch(nodeKind, { name }, { body: { spec } }, signal);
      await trial.settle();
    },
    async patchStatus(name: string, status: object) {
      const key = { namespace: 'default', name };
      await store.mergePatch(containerKind, key, { body: { status }, subresource: 'status' }, signal);
    },
    succeed: (name: string) => end(name, 'Succeeded', ''),
    fail: (name: string, message: string) => end(name, 'Failed', message),
    async succeedAll() {
      for (let count = 0; count < MANY; count += 1) {
        const [next] = active();
        if (next === undefined) return count;
        await drains.succeed(next.spec.container);
      }
      throw new Error('It never ends');
    },
  });
  await trial.settle(2_000);
  return drains;
}
