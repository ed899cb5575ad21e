import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { API_VERSION, FENCED_BY_ANNOTATION } from '../../../src/crds/kind.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import { type AgentWorld, createAgentWorld, NODE } from './agent-world.ts';

describe('an agent that starts while an operator says that its host is off', () => {
  let world: AgentWorld;
  beforeEach(() => {
    world = createAgentWorld();
    const annotations = { [FENCED_BY_ANNOTATION]: 'ann', other: 'stays' };
    world.store.seed({
      apiVersion: API_VERSION,
      kind: 'Node',
      metadata: { name: NODE, annotations },
      spec: {},
    } as Node);
  });
  afterEach(() => world.stop());

  it('takes the word back before it renews its lease', async () => {
    const seen: unknown[] = [];
    const { update } = world.leader.leaseStore;
    world.leader.leaseStore.update = async (ref, object, signal) => {
      seen.push(world.node()?.metadata.annotations);
      return await update(ref, object, signal);
    };
    await world.start();
    await world.clock.advance(3_000);
    expect(world.lease()?.spec?.renewTime).toBeDefined();
    expect(seen.length).toBeGreaterThan(0);
    for (const annotations of seen) expect(annotations).toEqual({ other: 'stays' });
  });

  it('does not renew while it cannot', async () => {
    world.store.mergePatch = async () => {
      throw new Error('forbidden');
    };
    await world.start();
    await world.clock.advance(5_000);
    expect(world.lease()?.spec?.renewTime).toBeUndefined();
    expect(world.store.all<Node>(nodeKind)[0]?.metadata.annotations).toMatchObject({
      [FENCED_BY_ANNOTATION]: 'ann',
    });
  });
});
