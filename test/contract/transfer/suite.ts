import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import type { TransferProgress } from '../../../src/ports/host-transfer.ts';
import { never } from '../host-driver/harness.ts';
import { moveOf, type TransferBench } from './harness.ts';
import { interruptionContract } from './suite-interruptions.ts';

/** What every HostDriver must do when instances move. Each test has an instance of its own, and leaves nothing of it. */
export function transferContract(
  title: string,
  start: () => Promise<TransferBench>,
  { skip }: { skip?: string | undefined } = {},
): void {
  const section = skip === undefined ? describe : describe.skip;
  section(skip === undefined ? title : `${title}: skipped: ${skip}`, () => {
    let bench: TransferBench;
    beforeAll(async () => {
      bench = await start();
    }, 120_000);
    afterAll(async () => {
      await bench?.stop();
    }, 90_000);

    it('says where its daemon is reached, by which certificate, and whether a live move is possible', async () => {
      const facts = await bench.source.getTransferFacts(never);
      expect(facts).toMatchObject({
        address: expect.stringMatching(/^https:\/\/.+:\d+$/),
        certificate: expect.any(String),
      });
      expect(facts.live.message).not.toBe('');
      const other = await bench.target.getTransferFacts(never);
      expect(other.address).not.toBe(facts.address);
      expect(other.certificate).not.toBe(facts.certificate);
    });

    it('moves cold: copied while it runs, brought up to date, and complete after its stop', async () => {
      const { source, target } = bench;
      const move = moveOf(bench, 'cold');
      const { name, mark } = move.spec;
      await move.begin();
      await bench.write(name, 'log', 'one\n', 200_000);
      const seen: TransferProgress[] = [];
      const first = await move.offer();
      const result = await target.pullTransfer(
        await move.request(first),
        (progress) => void seen.push(progress),
        never,
      );
      expect(await source.awaitTransfer(first.operation, never)).not.toMatchObject({ kind: 'Failed' });
      expect(result.bytes).toBeGreaterThanOrEqual(200_000);
      expect(seen.at(-1)?.bytes).toBe(result.bytes);
      expect(await source.getInstance(name, never)).toMatchObject({ status: 'Running' });
      expect(await target.getInstance(name, never)).toMatchObject({
        status: 'Stopped',
        incoming: move.migration,
        mark,
      });
      await bench.write(name, 'log', 'one\ntwo\n');
      await move.pass();
      expect(await bench.read(name, 'log')).toBe('one\ntwo\n');
      await bench.write(name, 'log', 'one\ntwo\nthree\n');
      await source.stopInstance(name, 0, never);
      await move.pass();
      const arrived = { ...move.spec, mark: { ...mark, epoch: 2 } };
      for (const _ of [1, 2]) await target.acceptTransfer(arrived, move.migration, never);
      await target.startInstance(name, never);
      const there = await target.getInstance(name, never);
      expect(there).toMatchObject({ status: 'Running', mark: { ...mark, epoch: 2 } });
      expect(there?.incoming).toBeUndefined();
      expect(await bench.read(name, 'log')).toBe('one\ntwo\nthree\n');
      const address = await bench.hardwareAddress('source', name);
      expect(address).not.toBe('');
      expect(await bench.hardwareAddress('target', name)).toBe(address);
      await source.deleteInstance(name, mark.uid, never);
      await target.updateInstance({ ...arrived, config: { 'user.note': 'there' } }, never);
      expect(await bench.read(name, 'log')).toBe('one\ntwo\nthree\n');
      await move.end();
    }, 120_000);

    it('moves on from where it arrived, and is not made anew from its image there', async () => {
      const { source, target } = bench;
      const move = moveOf(bench, 'stopped');
      const { name, mark } = move.spec;
      await move.begin();
      await source.stopInstance(name, 0, never);
      await bench.write(name, 'data', 'kept');
      await move.pass();
      await target.acceptTransfer(move.spec, move.migration, never);
      // It never ran here: what a half-made instance looks like.
      await target.createInstance(move.spec, { start: true }, never);
      expect(await bench.read(name, 'data')).toBe('kept');
      expect(await target.getInstance(name, never)).toMatchObject({ mark, status: 'Running' });
      await move.end();
    }, 60_000);

    it('leaves an incoming copy alone: it is not started, changed, deleted, made anew or offered', async () => {
      const { target } = bench;
      const move = moveOf(bench, 'alone');
      const { name, mark } = move.spec;
      await move.begin();
      await move.pass();
      const calls = [
        () => target.startInstance(name, never),
        () => target.updateInstance(move.spec, never),
        () => target.deleteInstance(name, mark.uid, never),
        () => target.createInstance(move.spec, { start: true }, never),
        () => target.offerTransfer({ name, uid: mark.uid }, { live: false }, never),
        () => target.acceptTransfer(move.spec, 'another', never),
        () => target.dropTransfer(name, 'another', never),
      ];
      for (const call of calls) expect(await outcome(call)).toBe('Conflict');
      expect(await target.getInstance(name, never)).toMatchObject({
        status: 'Stopped',
        incoming: move.migration,
      });
      for (const _ of [1, 2]) await target.dropTransfer(name, move.migration, never);
      expect(await target.getInstance(name, never)).toBeUndefined();
      expect(await outcome(() => target.acceptTransfer(move.spec, move.migration, never))).toBe('NotFound');
      await move.end();
    }, 60_000);

    it('never drops what was accepted', async () => {
      const move = moveOf(bench, 'accepted');
      await move.begin();
      await move.pass();
      await bench.target.acceptTransfer(move.spec, move.migration, never);
      expect(await outcome(() => bench.target.dropTransfer(move.spec.name, move.migration, never))).toBe(
        'Conflict',
      );
      expect(await bench.target.getInstance(move.spec.name, never)).toBeDefined();
      await move.end();
    }, 60_000);

    it('does not write over an instance that has the name', async () => {
      const { target } = bench;
      const move = moveOf(bench, 'taken');
      await move.begin();
      await target.createInstance(move.spec, { start: false }, never);
      expect(await outcome(() => move.pass())).toBe('AlreadyExists');
      expect((await target.getInstance(move.spec.name, never))?.incoming).toBeUndefined();
      await move.end();
    }, 60_000);

    it.each([
      ['a name that is not there', { name: 'nothing--default', uid: 'uid-wrong' }, 'NotFound'],
      ['another Container', { name: 'wrong--default', uid: 'uid-other' }, 'Forbidden'],
    ])('makes no offer of %s', async (_, instance, code) => {
      const move = moveOf(bench, 'wrong');
      await move.begin();
      expect(await outcome(() => bench.source.offerTransfer(instance, { live: false }, never))).toBe(code);
      await move.end();
    });

    it('makes no live offer of what does not run, or was not made for it', async () => {
      const move = moveOf(bench, 'unfit');
      await move.begin();
      const live = () => move.offer(true);
      // Invalid where the host is not capable of it at all.
      expect(['Conflict', 'Invalid']).toContain(await outcome(live));
      await bench.source.stopInstance(move.spec.name, 0, never);
      expect(['Conflict', 'Invalid']).toContain(await outcome(live));
      await move.end();
    });

    it.each([
      ['a pool that the target lacks', { rootPool: 'missing' }],
      ['a network that the target lacks', { networks: [{ name: 'eth0', network: 'missing' }] }],
    ])(
      'refuses %s, and leaves nothing',
      async (_, change) => {
        const move = moveOf(bench, 'lacks');
        await move.begin();
        expect(await outcome(() => move.pass({ spec: { ...move.spec, ...change } }))).toBe('Invalid');
        expect(await bench.target.getInstance(move.spec.name, never)).toBeUndefined();
        await move.end();
      },
      60_000,
    );

    interruptionContract(() => bench);
  });
}

export function outcome(call: () => Promise<unknown>): Promise<string> {
  return call().then(() => 'done', errorCode);
}
