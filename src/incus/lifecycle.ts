import type { HostEvent } from '../ports/host-driver.ts';

/** A message of the daemon's event stream, as far as it is used. */
export interface EventMessage {
  type: string;
  project?: string;
  metadata: {
    action: string;
    /** `/1.0/instances/NAME`, with a query outside of the default project. */
    source: string;
    /** Who asked for it; null or absent when nobody did. */
    requestor?: object | null;
  };
}

const SOURCE = /^\/1\.0\/(?:instances|containers)\/([^/?]+)$/;

/**
 * What a lifecycle event says about an instance; undefined when it is about something else. An end that nobody asked for
 * is `instance-shutdown` without requestor on both daemons, whether the init was killed or the container powered itself
 * off. On LXD one more such event comes before the `instance-restarted` of a reboot from inside.
 * @param isStopping whether this driver is stopping the instance: an end after the clean stop's time ran out has no requestor
 */
export function hostEventOf(
  message: EventMessage,
  isStopping: (name: string) => boolean,
): Exclude<HostEvent, { type: 'resync' }> | undefined {
  if (message.type !== 'lifecycle' || (message.project ?? 'default') !== 'default') return undefined;
  const { action, source, requestor } = message.metadata;
  const encoded = SOURCE.exec(source)?.[1];
  if (encoded === undefined) return undefined;
  const name = decodeURIComponent(encoded);
  switch (action) {
    case 'instance-created':
      return { type: 'created', name };
    case 'instance-started':
      return { type: 'started', name };
    case 'instance-restarted':
      return { type: 'restarted', name };
    case 'instance-updated':
    case 'instance-paused':
    case 'instance-resumed':
      return { type: 'updated', name };
    case 'instance-deleted':
      return { type: 'deleted', name };
    case 'instance-shutdown':
    case 'instance-stopped': {
      const requested = (requestor !== undefined && requestor !== null) || isStopping(name);
      return { type: 'stopped', name, requested };
    }
    default:
      return undefined;
  }
}
