import type { WatchClient } from 'etcd3';

type CallOptions = NonNullable<Parameters<WatchClient['watch']>[0]>;
type Interceptor = NonNullable<CallOptions['interceptors']>[number];

/**
 * For calls and streams: a member that has no leader (it is cut off, or most members are down) refuses them at once and ends
 * streams, instead of letting them wait for one that may never come.
 */
export const requireLeader: Pick<CallOptions, 'interceptors'> = {
  interceptors: [
    (options, nextCall) => {
      const call = nextCall(options);
      const start = call.start.bind(call);
      call.start = (metadata, listener) => {
        metadata.set('hasleader', 'true');
        start(metadata, listener);
      };
      return call as ReturnType<Interceptor>;
    },
  ],
};
