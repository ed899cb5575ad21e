import type { NodePool } from '../../crds/node.ts';
import { bytesOf, formatBytes } from '../../crds/quantity.ts';
import type { HostPool } from '../../ports/host-driver.ts';

const STEPS = 64;
const MI = 2 ** 20;
/** A pool whose size is not fixed (zfs) wavers a little. */
const TOTAL_TOLERANCE = 0.01;

/**
 * Size and usage of a pool for the status, so coarse that a quiet host writes nothing: the usage is rounded up to a 64th
 * of the size, and stays what it was until the real one has left that step by more than half a step.
 */
export function poolUsage(
  { totalBytes, usedBytes }: Pick<HostPool, 'totalBytes' | 'usedBytes'>,
  before: Pick<NodePool, 'total' | 'used'> | undefined,
): Pick<NodePool, 'total' | 'used'> {
  if (totalBytes === undefined || totalBytes <= 0) return {};
  const oldTotal = bytesOf(before?.total);
  const total = Math.abs(totalBytes - oldTotal) <= oldTotal * TOTAL_TOLERANCE ? oldTotal : totalBytes;
  if (usedBytes === undefined) return { total: formatBytes(total) };
  const step = total / STEPS;
  const oldUsed = bytesOf(before?.used);
  const isOldGood =
    before?.used !== undefined &&
    total === oldTotal &&
    usedBytes <= oldUsed &&
    usedBytes > oldUsed - 1.5 * step;
  const used = isOldGood ? oldUsed : Math.min(total, wholeMi(Math.ceil(usedBytes / step) * step));
  return { total: formatBytes(total), used: formatBytes(used) };
}

/** Short to read; a pool of less than 64 Mi has finer steps. */
function wholeMi(bytes: number): number {
  return bytes < 64 * MI ? Math.ceil(bytes) : Math.ceil(bytes / MI) * MI;
}
