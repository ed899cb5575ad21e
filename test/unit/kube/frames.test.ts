import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { linesOf } from '../../../src/kube/frames.ts';

async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let start = 0;
  for (const size of sizes) {
    yield bytes.subarray(start, start + size);
    start += size;
  }
  yield bytes.subarray(start);
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

describe('the lines of a stream', () => {
  it('are the same however the stream is cut', async () => {
    const lines = fc.array(
      fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !text.includes('\n')),
    );
    await fc.assert(
      fc.asyncProperty(lines, fc.array(fc.nat(9)), async (texts, sizes) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        expect(await collect(linesOf(cut(bytes, sizes)))).toEqual(texts);
      }),
    );
  });

  it.each([
    ['leave out empty ones', 'a\n\n\nb\n', ['a', 'b']],
    ['hold a last one without a newline', 'a\nb', ['a', 'b']],
    ['are none for an empty stream', '', []],
  ])('%s', async (_, text, expected) => {
    expect(await collect(linesOf(cut(Buffer.from(text), [])))).toEqual(expected);
  });

  it('cost no more for a long line in many pieces than for its bytes', async () => {
    const bytes = Buffer.alloc(4 << 20, 'x');
    let concatenated = 0;
    const pieces = Array.from({ length: 60_000 }, () => 64);
    for (const line of await collect(linesOf(cut(bytes, pieces)))) concatenated += line.length;
    expect(concatenated).toBe(bytes.length);
  });
});
