import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { LIVE_FOLDER, type LocalOptions } from '../../config/local.ts';
import { findDaemonProgram } from './host.ts';

/** What a local cluster needs on the machine, and the Debian package that has it. */
const NEEDED: Readonly<Record<string, string>> = {
  etcd: 'etcd-server',
  ip: 'iproute2',
  nft: 'nftables',
  dnsmasq: 'dnsmasq-base',
  busybox: 'busybox-static',
  newuidmap: 'uidmap',
  unshare: 'util-linux',
  nsenter: 'util-linux',
};

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** @throws Error that lists everything that is missing at once, and how to get it */
export function checkPrograms({ runtime, live }: Pick<LocalOptions, 'runtime' | 'live'>): void {
  if (!isRoot()) throw new Error("'hostler up' must be run as root: it makes namespaces and containers");
  const missing = Object.keys(NEEDED).filter((program) => !isOnPath(program, process.env['PATH'] ?? ''));
  const faults = missing.map((program) => `${program} (package ${NEEDED[program]})`);
  try {
    findDaemonProgram(runtime);
  } catch {
    faults.push(runtime === 'incus' ? 'incusd (package incus-base)' : 'lxd (package lxd)');
  }
  if (live === true && !isOnPath('criu', `${LIVE_FOLDER}/bin`)) {
    throw new Error("--live: there is no criu on this machine: 'scripts/setup --live' brings it");
  }
  if (faults.length > 0) {
    throw new Error(
      `Not installed: ${faults.join(', ')}. 'scripts/setup' installs what is missing on Debian 12 and 13.`,
    );
  }
}

function isOnPath(program: string, path: string): boolean {
  return path.split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
      return false;
    }
  });
}
