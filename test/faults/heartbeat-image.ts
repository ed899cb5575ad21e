import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cmd/local/process.ts';

/** Where the volume with the heartbeats is in a container. */
export const BEAT_PATH = '/beat';
export const BEAT_FILE = 'beats';

/**
 * Appends a line every 20 ms without starting any process: the host (by the path of the root's filesystem; on shared
 * storage by the subnet that the container has its address from, and `?` until it has one), an id that each start has anew, a
 * counter, and the seconds since the machine booted, which are the same in all of its hosts. The file itself is the same for
 * all hosts too, so that the order of its lines is that of the writes.
 */
const WRITER = `#!/bin/sh
[ -d ${BEAT_PATH} ] || exit 0
read -r boot </proc/sys/kernel/random/boot_id
host=?
while read -r line; do
  case $line in
    */compartments/host-*) host=\${line#*/compartments/} host=\${host%%/*} ;;
  esac
done </proc/self/mountinfo
# 10.88.N.0/24 is that of host-N; the kernel writes it backwards and in hexadecimal digits.
find_host() {
  while read -r interface subnet line; do
    case $subnet in
      00??580A) subnet=\${subnet#00} host=host-$((0x\${subnet%580A})) ;;
    esac
  done </proc/net/route
}
mkfifo /run/never
exec 3<>/run/never
count=0
while :; do
  [ "$host" != '?' ] || find_host
  read -r uptime rest </proc/uptime
  echo "$host $boot $count $uptime" >>${BEAT_PATH}/${BEAT_FILE}
  count=$((count + 1))
  read -r -t 0.02 rest <&3
done
`;
const BEFORE = 'ip link set lo up\n';

/**
 * @param image made by scripts/busybox-image
 * @param out the same one, which writes heartbeats while it runs
 * @param into `volume`: when one is mounted there; `root`: onto its own root, too
 */
export async function buildHeartbeatImage(
  image: string,
  out: string,
  into: 'volume' | 'root' = 'volume',
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'hostler-beat-'));
  try {
    await run(['tar', '-xzf', image, '-C', work]);
    const init = join(work, 'rootfs/sbin/init');
    const text = readFileSync(init, 'utf8');
    if (!text.includes(BEFORE)) throw new Error(`The init of the small image has no '${BEFORE.trim()}'`);
    writeFileSync(init, text.replace(BEFORE, `${BEFORE}/sbin/heartbeat &\n`));
    writeFileSync(join(work, 'rootfs/sbin/heartbeat'), WRITER, { mode: 0o755 });
    if (into === 'root') mkdirSync(join(work, 'rootfs', BEAT_PATH));
    await run([
      'tar',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '-czf',
      `${out}.part`,
      '-C',
      work,
      'metadata.yaml',
      'rootfs',
    ]);
    await run(['mv', `${out}.part`, out]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
