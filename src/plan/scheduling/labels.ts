/** Label selectors of the `matchLabels` kind: equality, all of them, and an empty one selects everything. */
export type MatchLabels = Readonly<Record<string, string>>;

/** Whether `labels` has every pair of `wanted`. */
export function matchesLabels(labels: MatchLabels | undefined, wanted: MatchLabels | undefined): boolean {
  for (const key in wanted) {
    if (labels?.[key] !== wanted[key]) return false;
  }
  return true;
}

/** The same text for the same labels, whatever their order. */
export function labelsKey(labels: MatchLabels | undefined): string {
  return JSON.stringify(Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
}
