import { WebSocket } from 'ws';

/** The daemon's own lifecycle events, as they arrive. */
export interface EventStream {
  /** Resolves with the time at which the next such event arrived. */
  next(action: string, instance: string): Promise<number>;
  close(): void;
}

const LIMIT_MS = 30_000;

export async function openEventStream(socketPath: string): Promise<EventStream> {
  const socket = new WebSocket(`ws+unix://${socketPath}:/1.0/events?type=lifecycle`);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  return {
    next: (action, instance) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`No ${action} of ${instance}`)), LIMIT_MS);
        const onMessage = (data: Buffer): void => {
          const nowMs = performance.now();
          const { metadata } = JSON.parse(data.toString()) as {
            metadata: { action?: string; source?: string };
          };
          if (metadata.action !== action || metadata.source?.endsWith(`/${instance}`) !== true) return;
          clearTimeout(timer);
          socket.off('message', onMessage);
          resolve(nowMs);
        };
        socket.on('message', onMessage);
      }),
    close: () => socket.close(),
  };
}
