import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ContainerProcesses } from '../../../src/guard/processes.ts';
import { createStopper } from '../../../src/guard/stopper.ts';
import { silentLogger } from '../../../src/ports/logger.ts';

const web = { instance: 'web--default', uid: 'u', term: 1 };

describe('the stopper of a guard', () => {
  let running: Map<string, ContainerProcesses>;
  let asked: string[];
  let killed: number[];
  const enforce = (daemonMs: number) => stopper.enforce({ containers: [web], daemonMs });
  let stopper: ReturnType<typeof createStopper>;

  beforeEach(() => {
    running = new Map<string, ContainerProcesses>([['web--default', { init: 7, starting: [] }]]);
    asked = [];
    killed = [];
    stopper = createStopper({
      processes: { find: (names) => new Map([...running].filter(([name]) => names.has(name))) },
      askDaemon: (instance) => void asked.push(instance),
      kill: (pid) => void killed.push(pid),
      logger: silentLogger,
    });
  });

  it('asks the daemon once while there is time, and kills then', () => {
    expect(enforce(1_000)).toBe(1);
    expect(enforce(500)).toBe(1);
    expect([asked, killed]).toEqual([['web--default'], []]);
    enforce(0);
    expect(killed).toEqual([7]);
    running.clear();
    expect(enforce(0)).toBe(0);
  });

  it('kills at once what comes up after the time of the daemon', () => {
    running.clear();
    enforce(0);
    running.set('web--default', { init: 9, starting: [8] });
    enforce(0);
    expect([asked, killed]).toEqual([[], [8, 9]]);
  });

  it('ends a start that is under way before there is an init, even while the daemon has time', () => {
    running.set('web--default', { starting: [8, 6] });
    enforce(1_000);
    expect(killed).toEqual([8, 6]);
  });

  it('touches nothing that it was not told to', () => {
    running.set('other--default', { init: 3, starting: [] });
    enforce(0);
    expect(killed).toEqual([7]);
  });
});
