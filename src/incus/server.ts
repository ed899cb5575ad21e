import type { LiveFact } from '../ports/host-transfer.ts';
import type { Api } from './api.ts';
import type { ServerView } from './host.ts';
import type { Abilities } from './instance.ts';
import type { LiveProbe } from './live.ts';

/**
 * What the daemon can do. Looked at again whenever the host is described, since the daemon may be another version by then, or
 * started in another way.
 */
export class Server {
  readonly #api: Api;
  readonly #probe: LiveProbe;
  #own: Omit<Abilities, 'live'> | undefined;

  constructor(api: Api, probe: LiveProbe) {
    this.#api = api;
    this.#probe = probe;
  }

  async view(signal: AbortSignal): Promise<ServerView> {
    const view = await this.#api.get<ServerView>('/1.0', signal);
    this.#own = abilitiesOf(view);
    return view;
  }

  async live(signal: AbortSignal): Promise<LiveFact> {
    return this.#probe(await this.view(signal), signal);
  }

  /** @param movesLive whether it matters if containers can move while they run: to find that out takes a moment */
  async abilities(movesLive: boolean, signal: AbortSignal): Promise<Abilities> {
    const own = this.#own ?? abilitiesOf(await this.view(signal));
    return { ...own, live: movesLive && (await this.live(signal)).possible };
  }
}

function abilitiesOf({ api_extensions: extensions }: ServerView): Omit<Abilities, 'live'> {
  return {
    createStarts: extensions.includes('instance_create_start'),
    autorestart: extensions.includes('instance_auto_restart'),
    growsPools: extensions.includes('storage_pool_loop_resize'),
  };
}
