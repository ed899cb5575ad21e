/** Where the parts count what they do, without knowing the metrics library (src/telemetry has the real one). */
export interface Metrics {
  /** Adds `by` (default 1) to the counter `name`. */
  count(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  /** Records one duration, in seconds, in the histogram `name`. */
  observeSeconds(name: string, seconds: number, labels?: Readonly<Record<string, string>>): void;
  /** Sets the gauge `name`. */
  set(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
}

export const noMetrics: Metrics = { count() {}, observeSeconds() {}, set() {} };
