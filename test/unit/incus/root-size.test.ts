import { describe, expect, it } from '@jest/globals';
import { createRootSize } from '../../../src/incus/root-size.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const never = new AbortController().signal;

function benchOf(answer: string | Error) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const machine = {
    read: async () => '',
    isExecutable: async () => true,
    run: async (program: string, args: readonly string[]) => {
      asked.push([program, ...args].join(' '));
      if (typeof answer !== 'string') throw answer;
      return answer;
    },
  };
  return { clock, asked, rootSize: createRootSize({ machine, clock }, '/var/lib/incus/unix.socket') };
}

describe('what a root holds', () => {
  it('is looked up below the folder of the daemon, once in ten minutes for each', async () => {
    const { clock, asked, rootSize } = benchOf('4096\t/a\n');
    expect(await rootSize('fast', 'web--default', never)).toBe(4_096);
    expect(await rootSize('fast', 'web--default', never)).toBe(4_096);
    expect(asked).toEqual([
      'du -sx --block-size=1 /var/lib/incus/storage-pools/fast/containers/web--default',
    ]);
    await rootSize('fast', 'db--default', never);
    await clock.advance(600_001);
    await rootSize('fast', 'web--default', never);
    expect(asked).toHaveLength(3);
  });

  it.each([
    ['fails', new Error('du: cannot access')],
    ['says nothing of use', 'du: nothing'],
    ['finds nothing', '0\t/a\n'],
  ])('is not known where du %s', async (_, answer) => {
    expect(await benchOf(answer).rootSize('fast', 'web--default', never)).toBeUndefined();
  });
});
