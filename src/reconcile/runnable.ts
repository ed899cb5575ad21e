/** A part of the process that runs until it is told to stop: an informer, a controller, a server. */
export interface Runnable {
  /** For logs and errors. */
  readonly name: string;

  /**
   * Runs until `signal` is aborted, then cleans up and resolves. Called once.
   * @throws when it cannot go on: the manager then stops everything
   */
  start(signal: AbortSignal): Promise<void>;

  /** Whether those that need it can be started. Default: at once. */
  ready?(): boolean;
}
