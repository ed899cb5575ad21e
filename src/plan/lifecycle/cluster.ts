/** The cluster that an agent belongs to, as it remembers it on disk. */
export interface KnownCluster {
  /** uid of the Namespace that holds the node leases: made once per cluster, and never again. */
  uid: string;
  /** The highest resourceVersion that a read of the API has shown. */
  resourceVersion: string;
  /** The store was seen to be older than that; stays until an operator accepts it. */
  wentBack?: true;
}

export interface ClusterFacts {
  /** Absent: this agent has never heard an API. */
  known: KnownCluster | undefined;
  /** What a fresh, successful read has shown. */
  seen: { uid: string; resourceVersion: string };
  /** Whether that is certainly older than what was known *when the read was sent*. */
  isOlder: boolean;
  /** Whether it is certainly newer than what is known now. */
  isNewer: boolean;
  /** uid of the cluster that an operator has accepted, whatever was known. */
  acceptedUid: string | undefined;
}

export type ClusterVerdict =
  | { isTrusted: true }
  | { isTrusted: false; reason: 'ForeignCluster' | 'StoreWentBack'; message: string };

/**
 * Decides whether the API may order containers away. That a Container is not there proves nothing when the store was
 * wiped, was brought back from a backup, or is another cluster's: then nothing is stopped or removed on its word.
 * @returns besides the verdict what is to be remembered from now on
 */
export function judgeCluster(facts: ClusterFacts): { verdict: ClusterVerdict; known: KnownCluster } {
  const { known, seen, isOlder, isNewer, acceptedUid } = facts;
  const { uid, resourceVersion } = seen;
  if (known === undefined) return { verdict: { isTrusted: true }, known: { uid, resourceVersion } };
  const isForeign = known.uid !== uid;
  const hasGoneBack = known.wentBack === true || isOlder;
  if (acceptedUid === uid && (isForeign || hasGoneBack)) {
    return { verdict: { isTrusted: true }, known: { uid, resourceVersion } };
  }
  if (isForeign) {
    const what = `The API is that of another cluster: uid ${uid}, not ${known.uid}`;
    return { verdict: refused('ForeignCluster', what, uid), known };
  }
  if (hasGoneBack) {
    const what = `The API's store went back in time, to before version ${known.resourceVersion}`;
    return { verdict: refused('StoreWentBack', what, uid), known: { ...known, wentBack: true } };
  }
  return { verdict: { isTrusted: true }, known: isNewer ? { uid, resourceVersion } : known };
}

function refused(reason: 'ForeignCluster' | 'StoreWentBack', what: string, uid: string): ClusterVerdict {
  const message = `${what}. Nothing is created, stopped or removed here; if it is right so, start the agent once with --accept-cluster ${uid}`;
  return { isTrusted: false, reason, message };
}
