import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type Health,
  parseTarget,
  type Target,
  type Targets,
  watchTargets,
} from '../../../../src/cmd/forward/targets.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';

const [a, b, c] = ['/a.sock', '10.0.0.2:6443', 'https://[fd00::3]:6443'].map(parseTarget) as [
  Target,
  Target,
  Target,
];
let targets: Targets | undefined;
afterEach(() => targets?.stop());

function watch(said: Map<Target, Health>) {
  const clock = createFakeClock();
  const cut: Target[] = [];
  const asked: Target[] = [];
  const probe = (target: Target): Promise<Health> => {
    asked.push(target);
    return Promise.resolve(said.get(target) ?? 'silent');
  };
  const watched = watchTargets({
    targets: [...said.keys()],
    probe,
    clock,
    onWorse: (target) => cut.push(target),
  });
  targets = watched;
  return { watched, clock, cut, asked };
}

it('targets are sockets, and addresses with ports', () => {
  expect([a.address, b.address, c.address]).toEqual([
    { path: '/a.sock' },
    { host: '10.0.0.2', port: 6443 },
    { host: 'fd00::3', port: 6443 },
  ]);
});

it.each(['', 'a.sock', '10.0.0.1', 'https://10.0.0.1', 'http://10.0.0.1:6443'])('%j is no target', (text) => {
  expect(() => parseTarget(text)).toThrow('must be the path of a socket, or ADDRESS:PORT');
});

describe('of several API servers', () => {
  it('those that are ready come first, then those that live', async () => {
    const { watched, clock } = watch(
      new Map([
        [a, 'silent'],
        [b, 'alive'],
        [c, 'ready'],
      ] as const),
    );
    expect(watched.ranked()).toEqual([a, b, c]);
    await clock.advance(0);
    expect(watched.ranked()).toEqual([c, b, a]);
  });

  it('the one that is in use is stayed with, until it is not as good as another', async () => {
    const said = new Map<Target, Health>([
      [a, 'ready'],
      [b, 'ready'],
      [c, 'ready'],
    ]);
    const { watched, clock, cut } = watch(said);
    await clock.advance(0);
    watched.worked(b);
    expect(watched.ranked()).toEqual([b, a, c]);
    said.set(b, 'alive');
    await clock.advance(1_000);
    expect(watched.ranked()).toEqual([a, c, b]);
    expect(cut).toContain(b);
    expect(cut).not.toContain(a);
  });

  it('no connection is cut while none is ready', async () => {
    const { watched, clock, cut } = watch(
      new Map<Target, Health>([
        [a, 'alive'],
        [b, 'silent'],
      ]),
    );
    await clock.advance(3_000);
    expect(watched.ranked()).toEqual([a, b]);
    expect(cut).toEqual([]);
  });

  it('one that takes no connection is the last until it is asked again', async () => {
    const { watched, clock } = watch(
      new Map<Target, Health>([
        [a, 'ready'],
        [b, 'ready'],
      ]),
    );
    await clock.advance(0);
    watched.failed(a);
    expect(watched.ranked()).toEqual([b, a]);
    await clock.advance(1_000);
    expect(watched.ranked()).toEqual([a, b]);
  });

  it('with only one nothing is asked', async () => {
    const { watched, clock, asked } = watch(new Map<Target, Health>([[a, 'ready']]));
    await clock.advance(5_000);
    expect(asked).toEqual([]);
    expect(watched.ranked()).toEqual([a]);
  });
});
