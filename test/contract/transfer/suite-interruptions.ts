import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import { until } from '../../support/waiting.ts';
import { never } from '../host-driver/harness.ts';
import { type Move, moveOf, type TransferBench } from './harness.ts';

const LARGE = 20_000_000;
/** So that a pass of LARGE takes about a minute where nobody ends it. */
const SLOW = 300_000;
/** More than the two daemons need to come to terms: before that, the connection for the files may not have been asked for. */
const BEGUN = 50_000;

/** What goes wrong on the way: each time the source runs on, nothing runs at the target, and another pass makes it good. */
export function interruptionContract(get: () => TransferBench): void {
  describe('a pass that is interrupted', () => {
    const begun = async (name: string): Promise<Move> => {
      const move = moveOf(get(), name);
      await move.begin();
      await get().write(move.spec.name, 'large', 'large', LARGE);
      return move;
    };
    /** Rejects or not, however it was interrupted by `interrupt` once bytes of the files were seen. */
    const interrupted = async (
      move: Move,
      interrupt: (operation: string) => Promise<unknown>,
      signal = never,
    ): Promise<string> => {
      const offer = await move.offer();
      const request = await move.request(offer, { bandwidthBytesPerSecond: SLOW });
      const seen = Promise.withResolvers<void>();
      return get().slowly(async () => {
        const pass = get()
          .target.pullTransfer(request, ({ bytes }) => bytes > BEGUN && seen.resolve(), signal)
          .then(() => 'done', errorCode);
        await Promise.race([seen.promise, pass]);
        await interrupt(offer.operation);
        return pass;
      });
    };
    const madeGood = async (move: Move): Promise<void> => {
      const { source, target } = get();
      const { name } = move.spec;
      expect(await source.getInstance(name, never)).toMatchObject({ status: 'Running' });
      expect((await target.getInstance(name, never))?.status ?? 'Stopped').toBe('Stopped');
      await get().write(name, 'late', 'late');
      // Until the target has cleared up after the one before.
      const again = async () => (await once(() => move.pass())) === 'done' || undefined;
      await until('another pass', again, { withinMs: 5_000, pollMs: 200 });
      expect(await get().read(name, 'late')).toBe('late');
      expect(await get().read(name, 'large')).toMatch(/^large/);
      await move.end();
    };

    it('by its caller', async () => {
      const move = await begun('aborted');
      const abort = new AbortController();
      expect(await interrupted(move, async () => abort.abort(), abort.signal)).toBe('Aborted');
      await madeGood(move);
    }, 120_000);

    it('by its caller, when it only refreshes', async () => {
      const move = await begun('refreshed');
      await move.pass();
      await get().write(move.spec.name, 'large', 'larger', LARGE);
      const abort = new AbortController();
      expect(await interrupted(move, async () => abort.abort(), abort.signal)).toBe('Aborted');
      expect(await get().target.getInstance(move.spec.name, never)).toMatchObject({
        incoming: move.migration,
      });
      await madeGood(move);
    }, 120_000);

    it('by the source, which withdraws the offer', async () => {
      const move = await begun('withdrawn');
      const cancel = (operation: string) => get().source.cancelTransfer(operation, never);
      expect(await interrupted(move, cancel)).toBe('Unavailable');
      await madeGood(move);
    }, 120_000);

    it('by a newer offer', async () => {
      const move = await begun('newer');
      expect(await interrupted(move, () => move.offer())).toBe('Unavailable');
      await madeGood(move);
    }, 120_000);

    it('by the end of the daemon at the source', async () => {
      const move = await begun('sourceless');
      expect(await interrupted(move, () => get().killDaemon('source'))).toBe('Unavailable');
      await get().startDaemon('source');
      await madeGood(move);
    }, 120_000);

    it.each(['first', 'second'])(
      'by the end of the daemon at the target, in the %s pass',
      async (which) => {
        const move = await begun(`targetless-${which}`);
        if (which === 'second') {
          await move.pass();
          await get().write(move.spec.name, 'large', 'larger', LARGE);
        }
        expect(await interrupted(move, () => get().killDaemon('target'))).toBe('Unavailable');
        await get().startDaemon('target');
        await madeGood(move);
      },
      120_000,
    );
  });

  describe('an offer', () => {
    it('serves one pass', async () => {
      const move = moveOf(get(), 'once');
      await move.begin();
      const offer = await move.offer();
      const request = await move.request(offer);
      await get().target.pullTransfer(request, () => {}, never);
      const again = get().target.pullTransfer(request, () => {}, never);
      expect(await again.then(() => 'done', errorCode)).toBe('NotFound');
      await move.end();
    }, 60_000);

    it('that was withdrawn is gone; to withdraw it again, or one that never was, does nothing', async () => {
      const move = moveOf(get(), 'gone');
      await move.begin();
      const offer = await move.offer();
      const unknown = '/1.0/operations/00000000-0000-0000-0000-000000000000';
      for (const operation of [offer.operation, offer.operation, unknown]) {
        await get().source.cancelTransfer(operation, never);
      }
      const pass = get().target.pullTransfer(await move.request(offer), () => {}, never);
      expect(await pass.then(() => 'done', errorCode)).toBe('NotFound');
      expect(await get().source.awaitTransfer(unknown, never)).toEqual({ kind: 'Unknown' });
      expect((await get().target.getInstance(move.spec.name, never))?.status).toBeUndefined();
      await move.end();
    }, 60_000);

    it('is taken from the right daemon only', async () => {
      const move = moveOf(get(), 'pinned');
      await move.begin();
      const { certificate } = await get().target.getTransferFacts(never);
      const { address = '' } = await get().source.getTransferFacts(never);
      const request = await move.request(await move.offer(), { from: { address, certificate } });
      const pass = get().target.pullTransfer(request, () => {}, never);
      expect(await pass.then(() => 'done', errorCode)).toBe('Unavailable');
      expect(await get().target.getInstance(move.spec.name, never)).toBeUndefined();
      await move.end();
    }, 60_000);
  });

  it.each([
    ['source', 'offerTransfer'],
    ['target', 'pullTransfer'],
  ] as const)(
    'makes the pass good when the reply of the %s to %s is lost',
    async (host, call) => {
      const move = moveOf(get(), call.toLowerCase());
      const { name } = move.spec;
      await move.begin();
      get().loseReply(host, call);
      expect(await once(() => move.pass())).toBe('Unavailable');
      await move.pass();
      expect(await get().target.getInstance(name, never)).toMatchObject({
        status: 'Stopped',
        incoming: move.migration,
      });
      expect(await get().source.getInstance(name, never)).toMatchObject({ status: 'Running' });
      await move.end();
    },
    60_000,
  );

  it.each(['acceptTransfer', 'dropTransfer'] as const)(
    'gets where it should when the reply to %s is lost',
    async (call) => {
      const { target } = get();
      const move = moveOf(get(), call.toLowerCase());
      const { name } = move.spec;
      await move.begin();
      await move.pass();
      get().loseReply('target', call);
      const run = {
        acceptTransfer: () => target.acceptTransfer(move.spec, move.migration, never),
        dropTransfer: () => target.dropTransfer(name, move.migration, never),
      }[call];
      // One lost reply may be made good by the driver itself; if not, it says so, and the next try succeeds.
      expect(['done', 'Unavailable']).toContain(await once(run));
      await run();
      const isThere = (await target.getInstance(name, never)) !== undefined;
      expect(isThere).toBe(call === 'acceptTransfer');
      await move.end();
    },
    60_000,
  );

  it('keeps to its bandwidth', async () => {
    const move = moveOf(get(), 'limited');
    await move.begin();
    await get().write(move.spec.name, 'data', 'data', 3_000_000);
    const request = await move.request(await move.offer(), { bandwidthBytesPerSecond: 1_000_000 });
    const { bytes, tookMs } = await get().slowly(() => get().target.pullTransfer(request, () => {}, never));
    expect(bytes / tookMs).toBeLessThan(1_300);
    await move.end();
  }, 60_000);
}

function once(run: () => Promise<unknown>): Promise<string> {
  return run().then(() => 'done', errorCode);
}
