/** What `npm run bench -- migrate` moves, and off which pools. */

/** What a container carries. */
export interface Load {
  title: string;
  memoryMegabytes?: number;
  rootMegabytes?: number;
  /** Written anew again and again while it runs. */
  changingMegabytes?: number;
}

const LOADS: Record<string, Load> = {
  small: { title: 'small' },
  memory: { title: '200 MB of memory', memoryMegabytes: 200 },
  root200: { title: '200 MB root', rootMegabytes: 200 },
  root1000: { title: '1 GB root, 50 MB of it changing', rootMegabytes: 1_000, changingMegabytes: 50 },
};

/** Which are measured: `HOSTLER_BENCH_MIGRATE="small memory"` for some. */
const CHOSEN = (process.env['HOSTLER_BENCH_MIGRATE'] ?? Object.keys(LOADS).join(' ')).split(' ');

/** Besides the one that the cluster has, `default`, which is of the driver `dir`. */
export const MADE_POOLS: Record<string, object> = {
  btrfs: { driver: 'btrfs', size: '8Gi' },
  compressed: { driver: 'dir', config: { 'rsync.compression': 'true' } },
};

const POOL_TITLES: Record<string, string> = { default: 'dir', compressed: 'dir with compression' };

/** `HOSTLER_BENCH_POOLS="default compressed"` for others. */
export const POOLS = (process.env['HOSTLER_BENCH_POOLS'] ?? 'default btrfs').split(' ');

/** Of each, in turn; the median of them is the figure. */
export const ROUNDS = Number(process.env['HOSTLER_BENCH_ROUNDS'] ?? 3);

export interface Case {
  pool: string;
  load: Load;
  live: boolean;
  name: string;
}

export function casesOf(isLive: boolean): Case[] {
  return POOLS.flatMap((pool) =>
    Object.entries(LOADS)
      .filter(([name]) => CHOSEN.includes(name))
      .flatMap(([name, load]) =>
        (isLive && name !== 'root200' ? [true, false] : [false]).map((live) => ({ pool, load, live, name })),
      ),
  );
}

/** As the figures are called. */
export function titleOf({ live, pool, load }: Case): string {
  return `${live ? 'live' : 'cold'} move, ${POOL_TITLES[pool] ?? pool}, ${load.title}`;
}
