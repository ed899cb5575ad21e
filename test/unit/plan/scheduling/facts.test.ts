import { describe, expect, it } from '@jest/globals';
import { createSchedulingFacts } from '../../../../src/plan/scheduling/facts.ts';
import { container } from '../../../support/cluster-objects.ts';

const asking = (name: string, more: Parameters<typeof container>[1] = {}) =>
  container(name, { spec: { resources: { cpu: '1', memory: '1Gi', disk: '2Gi' } }, ...more });

describe('createSchedulingFacts', () => {
  it('counts an assumed container until it is shown placed, once', () => {
    const facts = createSchedulingFacts();
    const web = asking('web');
    facts.assume(web, 'a');
    facts.setContainer(web);
    expect(facts.usage.on('a')).toMatchObject({ containers: 1, milliCpu: 1_000 });
    expect(facts.assumedNodeOf(web)).toBe('a');
    facts.setContainer({ ...web, status: { nodeName: 'a' } });
    expect(facts.usage.on('a').containers).toBe(1);
    expect(facts.assumedNodeOf(web)).toBeUndefined();
  });

  it('believes the object, where it was placed elsewhere than assumed', () => {
    const facts = createSchedulingFacts();
    const web = asking('web');
    facts.assume(web, 'a');
    facts.setContainer({ ...web, status: { nodeName: 'b' } });
    expect([facts.usage.on('a').containers, facts.usage.on('b').containers]).toEqual([0, 1]);
  });

  it('forgets the assumption about a container that was deleted and made anew', () => {
    const facts = createSchedulingFacts();
    const web = asking('web');
    facts.assume(web, 'a');
    facts.setContainer(asking('web', { metadata: { uid: 'another' } }));
    expect(facts.usage.on('a').containers).toBe(0);
  });

  it('takes back an assumption, never a placement', () => {
    const facts = createSchedulingFacts();
    const web = asking('web');
    facts.assume(web, 'a');
    facts.release(web);
    expect(facts.usage.on('a').containers).toBe(0);
    const placed = { ...web, status: { nodeName: 'a' } };
    facts.setContainer(placed);
    facts.release(placed);
    expect(facts.usage.on('a').containers).toBe(1);
  });

  it('counts what a container asks now, not what it asked when it was placed', () => {
    const facts = createSchedulingFacts({ containers: [asking('web', { nodeName: 'a' })] });
    facts.setContainer(container('web', { nodeName: 'a', spec: { resources: { cpu: '3' } } }));
    expect(facts.usage.on('a')).toMatchObject({ containers: 1, milliCpu: 3_000, memoryBytes: 0 });
    facts.removeContainer('default/web');
    expect(facts.usage.on('a')).toMatchObject({ containers: 0, milliCpu: 0 });
  });

  it('keeps the counts by labels up to date after they were first asked for', () => {
    const facts = createSchedulingFacts();
    const web = (name: string) => container(name, { nodeName: 'a', metadata: { labels: { app: 'web' } } });
    facts.setContainer(web('1'));
    const count = () => facts.usage.countMatching('default', { app: 'web' }).get('a') ?? 0;
    expect(count()).toBe(1);
    facts.setContainer(web('2'));
    facts.setContainer(container('3', { nodeName: 'a' }));
    expect(count()).toBe(2);
    facts.removeContainer('default/1');
    facts.setContainer(container('2', { nodeName: 'a' }));
    expect(count()).toBe(0);
  });

  it('counts a container that moves on both of its nodes, until the move is over', () => {
    const facts = createSchedulingFacts();
    const migration = { name: 'm', uid: 'uid-m', source: 'a', target: 'b' };
    const claim = { ...migration, stage: 'Copying', transfer: 'Copy' } as const;
    const counts = () => ['a', 'b'].map((node) => facts.usage.on(node).milliCpu);
    facts.setContainer({ ...asking('web'), status: { nodeName: 'a', migration: claim } });
    expect(counts()).toEqual([1_000, 1_000]);
    facts.setContainer({
      ...asking('web'),
      status: { nodeName: 'b', epoch: 2, migration: { ...claim, stage: 'Switched' } },
    });
    expect(counts()).toEqual([1_000, 1_000]);
    facts.setContainer({ ...asking('web'), status: { nodeName: 'b', epoch: 2 } });
    expect(counts()).toEqual([0, 1_000]);
    facts.removeContainer('default/web');
    expect(counts()).toEqual([0, 0]);
  });
});
