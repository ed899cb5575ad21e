import { describe, expect, it } from '@jest/globals';
import { createSchedulingFacts } from '../../../../src/plan/scheduling/facts.ts';
import { planPlacement } from '../../../../src/plan/scheduling/placement.ts';
import { container, node, storagePool } from '../../../support/cluster-objects.ts';
describe('planPlacement: many at once', () => {
  it('spreads sixty equals evenly over three hosts', () => {
    const facts = createSchedulingFacts({ nodes: [node('a'), node('b'), node('c')], pools: [storagePool()] });
    const counts: Record<string, number> = {};
    for (let index = 0; index < 60; index += 1) {
      const asks = container(`c${index}`);
      const decision = planPlacement(asks, facts);
      if (!decision.fits) throw new Error(decision.message);
      facts.assume(asks, decision.node);
      counts[decision.node] = (counts[decision.node] ?? 0) + 1;
    }
    expect(counts).toEqual({ a: 20, b: 20, c: 20 });
  });

  it('keeps equals apart among a thousand nodes and five thousand containers', () => {
    const nodes = Array.from({ length: 1_000 }, (_, index) => node(`n${index}`));
    const containers = Array.from({ length: 5_000 }, (_, index) =>
      container(`p${index}`, {
        nodeName: `n${index % 1_000}`,
        metadata: { labels: { app: `a${index % 50}` } },
      }),
    );
    const facts = createSchedulingFacts({ nodes, containers, pools: [storagePool()] });
    const chosen = new Set<string>();
    for (let index = 0; index < 60; index += 1) {
      const asks = container(`c${index}`, {
        metadata: { labels: { app: 'a1' } },
        spec: {
          resources: { cpu: '100m', memory: '64Mi' },
          placement: {
            antiAffinity: [{ topologyKey: 'hostler.dev/host', matchLabels: { app: 'a1' } }],
            spread: [{ topologyKey: 'hostler.dev/host', maxSkew: 1, mode: 'Preferred' }],
          },
        },
      });
      const decision = planPlacement(asks, facts);
      if (!decision.fits) throw new Error(decision.message);
      facts.assume(asks, decision.node);
      chosen.add(decision.node);
    }
    const taken = containers.filter(({ metadata }) => metadata.labels?.['app'] === 'a1');
    expect(chosen.size).toBe(60);
    expect(taken.some(({ status }) => chosen.has(status?.nodeName ?? ''))).toBe(false);
  });
});
