import type { HostDriver, InstanceSpec } from '../../../src/ports/host-driver.ts';
import type { PullRequest, TransferOffer } from '../../../src/ports/host-transfer.ts';
import { never } from '../host-driver/harness.ts';

/** Two hosts that reach each other: instances move from `source` to `target`. */
export interface TransferBench {
  source: HostDriver;
  target: HostDriver;
  image: string;
  /** On both. */
  pool: string;
  network: string;
  /** Puts a file into the root of an instance of the source, as the container would. @param size in bytes; default: as long as `text` */
  write(name: string, file: string, text: string, size?: number): Promise<void>;
  /** What is in it at the target; undefined: no such file. Only its first bytes where it is large. */
  read(name: string, file: string): Promise<string | undefined>;
  /** The hardware address of eth0, as the daemon has noted it. */
  hardwareAddress(host: 'source' | 'target', name: string): Promise<string | undefined>;
  /** A pass that is under way goes on until it is told to, or takes so long that there is time enough. */
  slowly<T>(run: () => Promise<T>): Promise<T>;
  loseReply(
    host: 'source' | 'target',
    call: 'offerTransfer' | 'pullTransfer' | 'acceptTransfer' | 'dropTransfer',
  ): void;
  killDaemon(host: 'source' | 'target'): Promise<void>;
  startDaemon(host: 'source' | 'target'): Promise<void>;
  stop(): Promise<void>;
}

/** One instance on its way. */
export interface Move {
  spec: InstanceSpec;
  migration: string;
  /** Made and started at the source. */
  begin(): Promise<void>;
  offer(live?: boolean): Promise<TransferOffer>;
  request(offer: TransferOffer, extra?: Partial<PullRequest>): Promise<PullRequest>;
  /** An offer and its pass. */
  pass(extra?: Partial<PullRequest>): Promise<void>;
  /** Nothing of it is left anywhere. */
  end(): Promise<void>;
}

export function moveOf(
  bench: Pick<TransferBench, 'source' | 'target' | 'image' | 'pool' | 'network'>,
  name: string,
  extra: Partial<InstanceSpec> = {},
): Move {
  const { source, target } = bench;
  const spec: InstanceSpec = {
    name: `${name}--default`,
    mark: { uid: `uid-${name}`, namespace: 'default', name, epoch: 1, generation: 1 },
    imageFingerprint: '',
    rootPool: bench.pool,
    networks: [{ name: 'eth0', network: bench.network }],
    config: {},
    ...extra,
  };
  const migration = `migration-${name}`;
  const { uid } = spec.mark;
  const move: Move = {
    spec,
    migration,
    begin: async () => {
      spec.imageFingerprint = await source.ensureImage(bench.image, never);
      await target.ensureImage(bench.image, never);
      await source.createInstance(spec, { start: true }, never);
    },
    offer: (live = false) => source.offerTransfer({ name: spec.name, uid }, { live }, never),
    request: async (offer, changes = {}) => {
      const { address = '', certificate } = await source.getTransferFacts(never);
      return { spec, migration, from: { address, certificate }, offer, live: false, ...changes };
    },
    pass: async (changes) => {
      const offer = await move.offer(changes?.live);
      await target.pullTransfer(await move.request(offer, changes), () => {}, never);
      const end = await source.awaitTransfer(offer.operation, never);
      if (end.kind === 'Failed') throw new Error(`the source says: ${end.message}`);
    },
    end: async () => {
      for (const host of [source, target]) {
        const seen = await host.getInstance(spec.name, never);
        if (seen === undefined) continue;
        await host.stopInstance(spec.name, 0, never);
        if (seen.incoming === undefined) await host.deleteInstance(spec.name, uid, never);
        else await host.dropTransfer(spec.name, migration, never);
      }
    },
  };
  return move;
}
