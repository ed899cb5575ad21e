/** Every metric of Hostler, declared once; src/telemetry/metrics.ts refuses all others. */
export interface MetricDeclaration {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: readonly string[];
  /** Upper bounds, in seconds. @defaultValue DEFAULT_BUCKETS */
  buckets?: readonly number[];
}

export const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const FAST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

export const metricDeclarations: Readonly<Record<string, MetricDeclaration>> = {
  hostler_reconcile_duration_seconds: {
    type: 'histogram',
    help: 'Time that one reconcile took, whatever its outcome.',
    labels: ['controller'],
  },
  hostler_reconcile_errors_total: {
    type: 'counter',
    help: 'Reconciles that failed, by what the queue did about it: transient, waiting or terminal.',
    labels: ['controller', 'kind'],
  },
  hostler_workqueue_depth: { type: 'gauge', help: 'Keys that wait to be reconciled.', labels: ['queue'] },
  hostler_workqueue_adds_total: { type: 'counter', help: 'Keys added to a queue.', labels: ['queue'] },
  hostler_workqueue_retries_total: {
    type: 'counter',
    help: 'Keys put back with back-off after a failure.',
    labels: ['queue'],
  },
  hostler_informer_objects: { type: 'gauge', help: "Objects in an informer's cache.", labels: ['resource'] },
  hostler_informer_lists_total: {
    type: 'counter',
    help: 'Full lists that an informer has taken.',
    labels: ['resource'],
  },
  hostler_informer_interruptions_total: {
    type: 'counter',
    help: 'Watches that ended and lists that failed, by the error code.',
    labels: ['resource', 'code'],
  },
  hostler_api_requests_total: {
    type: 'counter',
    help: 'Requests sent to the Kubernetes API, by the error code or OK.',
    labels: ['verb', 'resource', 'code'],
  },
  hostler_api_request_duration_seconds: {
    type: 'histogram',
    help: 'Time until the answer of the Kubernetes API; of a watch, until it began.',
    labels: ['verb', 'resource'],
    buckets: FAST_BUCKETS,
  },
  hostler_apiserver_requests_total: {
    type: 'counter',
    help: 'Requests that the embedded API server answered, by the HTTP status.',
    labels: ['verb', 'resource', 'code'],
  },
  hostler_apiserver_request_duration_seconds: {
    type: 'histogram',
    help: 'Time that the embedded API server took for a request; watches are left out.',
    labels: ['verb', 'resource'],
    buckets: FAST_BUCKETS,
  },
  hostler_events_dropped_total: {
    type: 'counter',
    help: 'Kubernetes Events not written: too many about one object (rate), or too many at once (queue).',
    labels: ['why'],
  },
  hostler_apiserver_objects: {
    type: 'gauge',
    help: 'Objects of a resource that the API server holds in its watch cache.',
    labels: ['group', 'resource'],
  },
  hostler_apiserver_watchers: {
    type: 'gauge',
    help: 'Watches of a resource that are open.',
    labels: ['group', 'resource'],
  },
  hostler_apiserver_slow_watchers_total: {
    type: 'counter',
    help: 'Watches that were ended because their client did not read fast enough.',
    labels: ['group', 'resource'],
  },
  hostler_leader: { type: 'gauge', help: '1 while this replica leads, otherwise 0.', labels: [] },
  hostler_leader_renewals_total: {
    type: 'counter',
    help: 'Renewals of the leader lease.',
    labels: ['result'],
  },
  hostler_certificate_expiry_seconds: {
    type: 'gauge',
    help: 'When a certificate ends, in seconds since 1970.',
    labels: ['certificate'],
  },
  hostler_certificate_renewals_total: {
    type: 'counter',
    help: "Renewals of the agent's certificate: renewed or failed.",
    labels: ['result'],
  },
  hostler_agent_actions_total: {
    type: 'counter',
    help: 'Steps that an agent took on its host.',
    labels: ['action', 'outcome'],
  },
  hostler_agent_action_duration_seconds: {
    type: 'histogram',
    help: 'Time that a step on the host took.',
    labels: ['action'],
  },
  hostler_agent_container_ends_total: {
    type: 'counter',
    help: 'Containers that ended by themselves.',
    labels: [],
  },
  hostler_agent_instances: {
    type: 'gauge',
    help: "Instances on the host that carry Hostler's mark.",
    labels: [],
  },
  hostler_agent_guard_armed: {
    type: 'gauge',
    help: 'Whether the guard of the host holds what the agent has told it last: 1 or 0.',
    labels: [],
  },
  hostler_agent_host_events_total: {
    type: 'counter',
    help: "Events of the host's daemon; resync counts its (re)connections.",
    labels: ['type'],
  },
  hostler_agent_lease_renewal_seconds: {
    type: 'histogram',
    help: 'Time that a successful renewal of the node lease took.',
    labels: [],
    buckets: FAST_BUCKETS,
  },
  hostler_agent_lease_failures_total: {
    type: 'counter',
    help: 'Renewals of the node lease that failed.',
    labels: [],
  },
  hostler_host_request_duration_seconds: {
    type: 'histogram',
    help: "Time until the answer of the host's daemon.",
    labels: ['method', 'resource'],
  },
};
