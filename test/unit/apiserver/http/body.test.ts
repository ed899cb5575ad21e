import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { readLimited } from '../../../../src/apiserver/http/body.ts';
import { sinkOf } from '../../../../src/apiserver/http/exchange.ts';
import { settle } from '../../../support/fake-clock.ts';

describe('readLimited', () => {
  it('puts the pieces together', async () => {
    const stream = new PassThrough();
    const body = readLimited(stream, 10);
    stream.write('hello');
    stream.end('world');
    expect((await body).toString()).toBe('helloworld');
  });

  it('refuses more than the limit, once the client has sent it all', async () => {
    const stream = new PassThrough();
    const body = readLimited(stream, 10);
    stream.write('hello world');
    stream.end('!');
    await expect(body).rejects.toThrow('Request entity too large: limit is 10');
  });

  it('does not read without end', async () => {
    const stream = new PassThrough();
    const body = readLimited(stream, 10);
    stream.write(Buffer.alloc(17 * 1024 * 1024));
    await expect(body).rejects.toThrow('Request entity too large');
    expect(stream.isPaused()).toBe(true);
  });

  it('fails when the client goes away', async () => {
    const stream = new PassThrough();
    const body = readLimited(stream, 10);
    stream.write('half');
    stream.destroy();
    await expect(body).rejects.toThrow('ended before its body was complete');
  });
});

describe('sinkOf', () => {
  it('waits for a slow client', async () => {
    const stream = new PassThrough({ highWaterMark: 4 });
    const sink = sinkOf(stream, new AbortController().signal);
    let isWritten = false;
    const writing = sink.write(Buffer.from('more than four'))?.then(() => (isWritten = true));
    await settle();
    expect(isWritten).toBe(false);
    stream.resume();
    await writing;
  });

  it('does not wait for a quick one', () => {
    const stream = new PassThrough().resume();
    expect(sinkOf(stream, new AbortController().signal).write(Buffer.from('x'))).toBeUndefined();
  });

  it('gives up when the client has gone', async () => {
    const closed = new AbortController();
    const sink = sinkOf(new PassThrough({ highWaterMark: 4 }), closed.signal);
    const writing = sink.write(Buffer.from('more than four'));
    closed.abort();
    await expect(writing).rejects.toThrow('The client has gone');
    await expect(sink.write(Buffer.from('x'))).rejects.toThrow('The client has gone');
  });
});
