import type { Seen } from '../../plan/lifecycle/record.ts';
import type { Instance } from '../../ports/host-driver.ts';

/** What of an instance matters to plans. */
export function seenOf(instance: Instance): Exclude<Seen, string> {
  const { name, mark, status, imageFingerprint, lastStartedAt, isRootShared, incoming } = instance;
  const lastStartedAtMs = Date.parse(lastStartedAt ?? '');
  return {
    name,
    status,
    ...(mark === undefined ? {} : { mark }),
    ...(isRootShared === undefined ? {} : { isRootShared }),
    ...(incoming === undefined ? {} : { incoming }),
    ...(imageFingerprint === undefined ? {} : { imageFingerprint }),
    ...(lastStartedAt === undefined ? {} : { lastStartedAt }),
    ...(Number.isNaN(lastStartedAtMs) ? {} : { lastStartedAtMs }),
  };
}
