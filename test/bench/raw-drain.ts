import { SWITCHING_PER_COPY } from '../../src/plan/relocation/limits.ts';
import { createRaw, passRaw, type RawHost, type RawMove, removeRaw, startRaw, stopRaw } from './raw-move.ts';

/**
 * A host is emptied, and filled again, by nothing but the daemons' own requests: what Hostler's drain is compared with. The same passes in
 * the same order and with as many at once: so many are copied, twice as many again are stopped for their last pass, and what is whole is started,
 * and removed where it was, beside them.
 */
const POOL = 'default';
const NETWORK = 'incusbr0';
/** Of the clean stop, as Hostler asks for it of containers whose stopTimeout is 1 s. */
const STOP_SECONDS = 2;

export async function createRawSet(
  host: RawHost,
  names: readonly string[],
  fingerprint: string,
): Promise<void> {
  for (const name of names) {
    await createRaw(host, { name, pool: POOL, network: NETWORK }, fingerprint);
    await startRaw(host, name);
  }
}

export async function removeRawSet(host: RawHost, names: readonly string[]): Promise<void> {
  for (const name of names) await removeRaw(host, name);
}

/**
 * @param ways from where to where, taken in turns
 * @param atOnce so many are copied, and so many switched over
 * @returns milliseconds until the last one runs on its target
 */
export async function drainRaw(
  ways: readonly { source: RawHost; target: RawHost }[],
  names: readonly string[],
  atOnce: number,
): Promise<number> {
  const begunMs = performance.now();
  const now = { copied: 0, switched: 0 };
  const left = names.map((name, index) => ({
    name,
    way: ways[index % ways.length] as (typeof ways)[number],
  }));
  const all: Promise<number>[] = [];
  const goOn = (): void => {
    while (left.length > 0 && now.copied + Math.max(0, now.switched - SWITCHING_PER_COPY * atOnce) < atOnce) {
      const { name, way } = left.shift() as (typeof left)[number];
      const one = moveOne({ ...way, move: { name, pool: POOL, network: NETWORK, live: false } }, now, goOn);
      // It is awaited below.
      one.catch(() => undefined);
      all.push(one);
    }
  };
  goOn();
  let lastMs = begunMs;
  // It grows until the last one has begun.
  for (let index = 0; index < names.length; index += 1) {
    const endedMs = await all[index];
    lastMs = Math.max(lastMs, endedMs ?? begunMs);
  }
  return lastMs - begunMs;
}

/** By force when it takes too long, as Hostler does; it may have ended just then. */
async function stopCleanly({ socketPath }: RawHost, name: string): Promise<void> {
  try {
    await stopRaw(socketPath, name, STOP_SECONDS);
  } catch {
    await stopRaw(socketPath, name).catch((error: unknown) => {
      if (!String(error).includes('already stopped')) throw error;
    });
  }
}

/** @returns when it ran on its target */
async function moveOne(
  { source, target, move }: { source: RawHost; target: RawHost; move: RawMove },
  now: { copied: number; switched: number },
  onRoom: () => void,
): Promise<number> {
  const { name } = move;
  now.copied += 1;
  await passRaw(source, target, move, { refresh: false, live: false });
  now.copied -= 1;
  now.switched += 1;
  onRoom();
  await stopCleanly(source, name);
  await passRaw(source, target, move, { refresh: true, live: false });
  now.switched -= 1;
  onRoom();
  await startRaw(target, name);
  const startedMs = performance.now();
  await removeRaw(source, name);
  return startedMs;
}
