import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '../ports/metrics.ts';
import { DEFAULT_BUCKETS, type MetricDeclaration, metricDeclarations } from './metric-declarations.ts';

export interface PrometheusMetrics extends Metrics {
  /** Everything in the text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
}

/**
 * The declared metrics and those of the process itself. Each call makes a registry of its own.
 * @throws (its `count`, `observeSeconds`, `set`) for a name that is not declared with that type, or a label that is not
 */
export function createMetrics(
  declarations: Readonly<Record<string, MetricDeclaration>> = metricDeclarations,
): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  for (const [name, { type, help, labels, buckets = DEFAULT_BUCKETS }] of Object.entries(declarations)) {
    const common = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === 'counter') counters.set(name, new Counter(common));
    else if (type === 'gauge') gauges.set(name, new Gauge(common));
    else histograms.set(name, new Histogram({ ...common, buckets: [...buckets] }));
  }
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    count: (name, labels = {}, by = 1) => declared(counters, name, 'counter').inc(labels, by),
    set: (name, value, labels = {}) => declared(gauges, name, 'gauge').set(labels, value),
    observeSeconds: (name, seconds, labels = {}) =>
      declared(histograms, name, 'histogram').observe(labels, seconds),
  };
}

function declared<T>(metrics: ReadonlyMap<string, T>, name: string, type: string): T {
  const metric = metrics.get(name);
  if (metric === undefined) throw new Error(`There is no ${type} ${name} in metric-declarations.ts`);
  return metric;
}
