import type { NodeActor } from './node.ts';
import type { World } from './world.ts';

/**
 * What `spec.fencing` calls: it switches the host off and says so, fails, or does it only after it was given up on. The host
 * is started again some time later, by the device itself, say, also before anybody has heard that it was off.
 */
export function createDevices(
  world: World,
  nodes: ReadonlyMap<string, NodeActor>,
): (node: string, told: (confirmed: boolean) => void) => void {
  return (name, told) => {
    const draw = world.random();
    if (draw < 0.25) return world.at(world.now + world.between(100, 3_000), () => told(false));
    const offMs = world.now + world.between(200, 3_000);
    const onMs = offMs + world.between(300, 6_000);
    world.at(offMs, () => {
      world.log('DEVICE', `switches ${name} off`);
      nodes.get(name)?.powerOff();
    });
    world.at(onMs, () => {
      world.log('DEVICE', `switches ${name} on`);
      nodes.get(name)?.powerOn();
    });
    const isLate = draw > 0.85;
    const toldMs = isLate ? world.between(world.now, offMs) : offMs + world.between(10, 3_000);
    world.at(toldMs, () => told(!isLate));
  };
}
