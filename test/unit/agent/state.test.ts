import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createBook } from '../../../src/agent/state/book.ts';
import { type DesiredState, openDesiredStateFile } from '../../../src/agent/state/desired-state-file.ts';
import { newRecord } from '../../../src/plan/lifecycle/record.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { container } from '../../support/cluster-objects.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createMemoryFile, NODE } from './agent-world.ts';

const state = (names: string[]): DesiredState => ({
  nodeName: NODE,
  containers: names.map((name) => {
    const object = container(name, { nodeName: NODE });
    return { container: object, record: newRecord(object) };
  }),
  epochs: { 'uid-web': 3 },
});

describe('the desired state on disk', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostler-state-'));
    path = join(folder, 'desired-state.json');
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('gives back what was written, and leaves nothing else behind', async () => {
    const file = openDesiredStateFile(path);
    expect(await file.read()).toBeUndefined();
    await file.write(state(['web']));
    await file.write(state(['web', 'db']));
    expect(await openDesiredStateFile(path).read()).toEqual(state(['web', 'db']));
    expect(await readdir(folder)).toEqual(['desired-state.json']);
  });

  it.each([
    ['cut off', '{"formatVersion":1,"nodeNa'],
    ['of a later format', '{"formatVersion":2}'],
    ['without its parts', '{"formatVersion":1,"nodeName":"host-1"}'],
    ['no object', 'null'],
  ])('refuses content that is %s, and can put it aside', async (_what, text) => {
    await writeFile(path, text);
    const file = openDesiredStateFile(path);
    await expect(file.read()).rejects.toMatchObject({ code: 'Invalid' });
    expect(await file.setAside()).toBe(`${path}.damaged`);
    expect(await file.read()).toBeUndefined();
    expect(await readFile(`${path}.damaged`, 'utf8')).toBe(text);
  });

  it('keeps the old content and says why when it cannot write', async () => {
    const file = openDesiredStateFile('/dev/full/desired-state.json');
    await expect(file.write(state([]))).rejects.toMatchObject({
      code: 'Unavailable',
      message: 'Cannot save the desired state to /dev/full/desired-state.json',
    });
  });
});

describe('the book', () => {
  const create = (file = createMemoryFile()) => {
    const clock = createFakeClock();
    const faults: (string | undefined)[] = [];
    const book = createBook({
      nodeName: NODE,
      file,
      clock,
      logger: silentLogger,
      onSaving: (fault) => void faults.push(fault),
    });
    return { book, clock, file, faults };
  };
  const web = container('web', { nodeName: NODE });

  it('writes a burst of changes once, and nothing when nothing is new', async () => {
    const { book, clock, file } = create();
    for (const name of ['a', 'b', 'c']) {
      const object = container(name, { nodeName: NODE });
      book.put(object, newRecord(object));
    }
    await clock.advance(600);
    expect(file.writes).toBe(1);
    book.put(container('a', { nodeName: NODE }), newRecord(container('a')));
    await clock.advance(10_000);
    expect(file.writes).toBe(1);
    expect(clock.pending()).toBe(0);
  });

  it('keeps of a container only what decisions need', async () => {
    const { book, file } = create();
    const object = { ...web, status: { ...web.status, phase: 'Running' as const, addresses: ['192.0.2.1'] } };
    book.put(object, newRecord(object));
    await book.save();
    expect(file.content?.containers[0]?.container.status).toEqual({ nodeName: NODE, epoch: 1 });
  });

  it('saves what changes while a save is under way in a second one', async () => {
    const { book, file } = create();
    book.put(web, newRecord(web));
    const first = book.save();
    book.raiseEpoch('uid-web', 7);
    await Promise.all([first, book.save()]);
    expect(file.content?.epochs).toEqual({ 'uid-web': 7 });
  });

  it('never lets an epoch fall, also after a restart', async () => {
    const { book, file } = create();
    expect(book.raiseEpoch('uid-web', 5)).toBe(5);
    expect(book.raiseEpoch('uid-web', 3)).toBe(5);
    await book.close();
    const next = create(file).book;
    await next.load();
    expect(next.raiseEpoch('uid-web', 4)).toBe(5);
    next.forgetEpoch('uid-web');
    expect(next.raiseEpoch('uid-web', 4)).toBe(4);
  });

  it('tells of a full disk once, resolves all the same, and tries again', async () => {
    const { book, clock, file, faults } = create();
    file.isFull = true;
    book.put(web, newRecord(web));
    await book.save();
    await clock.advance(20_000);
    expect(faults).toEqual(['Cannot save the desired state: no space left']);
    file.isFull = false;
    await clock.advance(5_000);
    expect(faults).toHaveLength(2);
    expect(file.content?.containers).toHaveLength(1);
    await book.close();
    expect(clock.pending()).toBe(0);
  });

  it('does not use the state of another node', async () => {
    const file = createMemoryFile();
    file.content = { ...state(['web']), nodeName: 'host-9' };
    const { book } = create(file);
    await book.load();
    expect(book.keys()).toEqual([]);
  });
});
