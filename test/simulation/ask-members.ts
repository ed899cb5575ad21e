import { elapsedMs, type Moment } from '../../src/plan/failover/two-clocks.ts';
import type { WitnessAnswer } from '../../src/plan/failover/witness.ts';
import type { Host } from './host.ts';
import type { Endpoint, Network } from './network.ts';
import type { NodeActor } from './node.ts';

interface Asker {
  network: Network;
  me: Endpoint;
  host: Host;
  peer: (name: string) => NodeActor | undefined;
  /** For the process that asks alone. */
  asAgent: (run: () => void) => () => void;
}

/** As src/agent/node/witnesses.ts has it. */
const ANSWER_MS = 500;

/** Asks all members at once. @param onAnswers called with all answers so far, after each */
export function askMembers(
  { network, me, host, peer, asAgent }: Asker,
  { asked, members }: { asked: Moment; members: readonly string[] },
  onAnswers: (answers: readonly WitnessAnswer[]) => void,
): void {
  const answers: WitnessAnswer[] = [];
  for (const name of members) {
    const other = name === me.name ? undefined : peer(name);
    if (other === undefined) continue;
    let cutOffForMs = 0;
    const heard = asAgent(() => {
      const tookMs = elapsedMs(asked, host.now());
      if (tookMs > ANSWER_MS) return;
      answers.push({ peer: name, cutOffForMs, receivedMs: asked.monotonicMs + tookMs });
      onAnswers(answers);
    });
    network.send(me, other.endpoint, () =>
      other.answerPeer((forMs) => {
        cutOffForMs = forMs;
        network.send(other.endpoint, me, heard);
      }),
    );
  }
}
