import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricDeclarations } from '../../../src/telemetry/metric-declarations.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const src = join(import.meta.dirname, '../../../src');

describe('metrics', () => {
  it('counts, sets and observes what is declared', async () => {
    const metrics = createMetrics();
    metrics.count('hostler_workqueue_adds_total', { queue: 'q' });
    metrics.count('hostler_workqueue_adds_total', { queue: 'q' }, 2);
    metrics.set('hostler_leader', 1);
    metrics.observeSeconds('hostler_reconcile_duration_seconds', 0.2, { controller: 'c' });
    const text = await metrics.text();
    expect(text).toContain('hostler_workqueue_adds_total{queue="q"} 3');
    expect(text).toContain('hostler_leader 1');
    expect(text).toContain('hostler_reconcile_duration_seconds_bucket{le="0.25",controller="c"} 1');
    expect(text).toContain('process_resident_memory_bytes');
  });

  it.each([
    ['a name that is not declared', 'hostler_nothing_total', {}],
    ['a gauge as a counter', 'hostler_leader', {}],
    ['a label that is not declared', 'hostler_workqueue_adds_total', { colour: 'red' }],
  ])('refuses %s', (_, name, labels) => {
    expect(() => createMetrics().count(name, labels)).toThrow(
      /There is no counter|not included in initial labelset/,
    );
  });

  it('declares every metric that the source names, and no other', () => {
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    const used = new Set<string>();
    for (const file of files) {
      if (file.startsWith(join('telemetry', 'metric-declarations'))) continue;
      for (const [, name] of readFileSync(join(src, file), 'utf8').matchAll(/'(hostler_\w+)'/g))
        used.add(name ?? '');
    }
    expect([...used].sort()).toEqual(Object.keys(metricDeclarations).sort());
  });
});
