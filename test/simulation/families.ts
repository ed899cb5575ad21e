import { type Fault, leaderName, nodeName, type NodePlan, type TimingName } from './schedule.ts';
import type { World } from './world.ts';

/**
 * Schedules that chance alone would hardly ever put together: each family brings about what one rule of the protocol is
 * there for, with every time drawn at random around it, and often something else on top.
 */
export interface Family {
  plans: NodePlan[];
  nodes: number;
  faults: Fault[];
}

const all = (count: number, timing: TimingName): NodePlan[] =>
  Array.from({ length: count }, () => ({ timing, hasDevice: false }));
const cut = (who: string, from: number, until: number): Fault => ({
  kind: 'cut',
  who,
  direction: 'both',
  from,
  until,
});

const families = [
  membersJump,
  timingChange,
  sleepThroughOutage,
  wordAtBoot,
  lateTerm,
  partAfterPart,
  lateNews,
  oneAfterTheOther,
];
export const FAMILIES = families.length;

export function drawFamily(index: number, world: World): Family | undefined {
  return families[index]?.(world);
}

/**
 * A node comes back after the list of members has changed twice, learns so late, and is cut off with the newcomers; one leader has
 * not heard of the newcomers at all.
 */
function membersJump(world: World): Family {
  const plans = all(5, 'default');
  const back = world.between(6_500, 8_500);
  const learns = back + world.between(1_500, 4_000);
  const parts = learns + world.between(-200, 2_500);
  const heals = parts + world.between(9_000, 15_000);
  // What runs there has nowhere else to go for the leader that is awake meanwhile (leader-actor.ts).
  const away = nodeName(0);
  const faults: Fault[] = [
    { kind: 'hostDown', who: away, from: world.between(800, 1_200), until: back, wordAt: 1_300 },
    { kind: 'pause', who: leaderName(1), from: 700, until: back + world.between(500, 1_500) },
    { kind: 'lag', who: away, stream: 'members', from: 700, until: learns },
    { kind: 'lag', who: leaderName(1), stream: 'members', from: 700, until: heals },
    { kind: 'join', who: nodeName(3), from: 3_000, until: 3_000 },
    { kind: 'join', who: nodeName(4), from: world.between(3_000, 4_500), until: 4_500 },
    cut(away, parts, heals),
    cut(nodeName(3), parts - world.between(0, 3_000), heals),
    cut(nodeName(4), parts - world.between(0, 3_000), heals),
  ];
  return { plans, nodes: 3, faults };
}

/** A node is to have another timing, perhaps a second one soon after, while renewals are lost and its agent starts anew. */
function timingChange(world: World): Family {
  const nodes = 3 + Math.floor(world.random() * 3);
  const [before, then] = world.chance(0.5)
    ? (['default', 'brisk'] as const)
    : world.chance(0.5)
      ? (['calm', 'brisk'] as const)
      : (['brisk', 'default'] as const);
  const plans = all(nodes, before);
  const begins = world.between(3_000, 4_500);
  const changed = begins - world.between(-600, 900);
  const who = nodeName(Math.floor(world.random() * 3));
  const heals = begins + world.between(9_000, 15_000);
  const direction = world.chance(0.5) ? 'both' : world.chance(0.5) ? 'in' : 'out';
  const faults: Fault[] = [
    { kind: 'retime', who, timing: then, from: changed, until: changed },
    { kind: 'cut', who, direction, from: begins, until: heals },
  ];
  if (world.chance(0.5))
    faults.push({ kind: 'storeDown', from: begins, until: begins + world.between(1_000, 6_000) });
  if (world.chance(0.5)) {
    const killed = begins + world.between(0, 2_000);
    faults.push({ kind: 'kill', who, from: killed, until: killed + world.between(50, 300) });
  }
  if (world.chance(0.3)) {
    const again = changed + world.between(100, 1_500);
    faults.push({ kind: 'retime', who, timing: before, from: again, until: again });
  }
  return { plans, nodes, faults };
}

/** A host sleeps until its containers have moved, and wakes into an outage in which its peers would vouch for it. */
function sleepThroughOutage(world: World): Family {
  const nodes = 3 + Math.floor(world.random() * 3);
  const plans = all(nodes, world.chance(0.5) ? 'default' : 'brisk');
  const from = world.between(2_000, 3_500);
  const wakes = from + world.between(1_000, 14_000);
  const outage = wakes - world.between(0, 5_000);
  const who = nodeName(Math.floor(world.random() * 3));
  const faults: Fault[] = [
    { kind: 'suspend', who, from, until: wakes },
    { kind: 'storeDown', from: outage, until: outage + world.between(3_000, 12_000) },
  ];
  if (world.chance(0.3)) {
    const killed = wakes + world.between(0, 1_500);
    faults.push({ kind: 'kill', who, from: killed, until: killed + world.between(50, 300) });
  }
  return { plans, nodes, faults };
}

/** An operator says that a host is off, nobody leads just then, and the host is back before anybody does. */
function wordAtBoot(world: World): Family {
  const nodes = 3 + Math.floor(world.random() * 3);
  const plans = all(nodes, world.chance(0.6) ? 'default' : 'calm');
  const from = world.between(2_500, 3_500);
  const back = from + world.between(600, 4_000);
  const leads = back + world.between(-500, 2_500);
  const who = nodeName(Math.floor(world.random() * 3));
  const faults: Fault[] = [
    { kind: 'hostDown', who, from, until: back, wordAt: world.between(from, back) },
    cut(who, back + world.between(800, 4_000), back + world.between(9_000, 14_000)),
  ];
  for (const leader of [0, 1]) {
    const kind = world.chance(0.7) ? ('kill' as const) : ('pause' as const);
    faults.push({ kind, who: leaderName(leader), from: from - 300, until: leads + world.between(0, 1_000) });
  }
  return { plans, nodes, faults };
}

/**
 * A leader sees a revocation, is frozen, and its watch of leases stands still while that of containers goes on, past the node's
 * return.
 */
function lateTerm(world: World): Family {
  const nodes = 3 + Math.floor(world.random() * 2);
  const plans = all(nodes, 'brisk');
  const from = world.between(1_500, 2_500);
  const frozen = from + world.between(3_600, 4_500);
  const back = frozen + world.between(-400, 300);
  const leader = leaderName(1);
  const faults: Fault[] = [
    cut(nodeName(0), from, back),
    { kind: 'pause', who: leader, from: frozen, until: frozen + world.between(500, 1_800) },
    { kind: 'lag', who: leader, stream: 'leases', from: frozen, until: frozen + world.between(2_000, 9_000) },
  ];
  return { plans, nodes, faults };
}

/** Parts of the cluster are cut off one after the other, and some come back in between: who may vouch for whom changes all the time. */
function partAfterPart(world: World): Family {
  const nodes = 3 + Math.floor(world.random() * 3);
  const plans = all(nodes, world.chance(0.5) ? 'default' : 'brisk');
  const begins = world.between(2_000, 3_000);
  const faults: Fault[] = [];
  for (let index = 0; index < nodes; index++) {
    if (index > 0 && world.chance(0.2)) continue;
    const from = begins + world.between(0, 2_500);
    const until = index === 0 ? from + world.between(8_000, 14_000) : from + world.between(1_500, 6_000);
    faults.push(cut(nodeName(index), from, until));
  }
  if (world.chance(0.4))
    faults.push({ kind: 'slow', from: begins, until: begins + world.between(1_000, 6_000) });
  if (world.chance(0.4)) {
    const from = begins + world.between(0, 3_000);
    faults.push({ kind: 'pause', who: nodeName(0), from, until: from + world.between(500, 5_000) });
  }
  return { plans, nodes, faults };
}

/**
 * One node is cut off, and then all are, for just longer than suspectAfter, while a leader hears of renewals later and later: the last
 * ones seem new to it until the next ones come.
 */
function lateNews(world: World): Family {
  const nodes = 3;
  const plans = all(nodes, 'default');
  const begins = world.between(4_500, 5_500);
  const heals = begins + world.between(1_800, 3_800);
  const away = Math.floor(world.random() * nodes);
  const faults: Fault[] = [];
  for (let index = 0; index < nodes; index++) {
    if (index !== away) faults.push(cut(nodeName(index), begins, heals + world.between(-200, 200)));
  }
  faults.push(
    cut(nodeName(away), begins - world.between(1_200, 2_800), begins + world.between(9_000, 14_000)),
  );
  const from = begins - world.between(1_500, 3_500);
  faults.push({ kind: 'trail', who: leaderName(1), stream: 'leases', from, until: begins + 2_000 });
  return { plans, nodes, faults };
}

/**
 * One of five nodes asks its peers. Of these, two are cut off, one after the other: the first is back, and seen to be (what it had sent
 * before was on its way for long, so that it counts as young at once), before the second, which is frozen between the question
 * and its answer, counts as cut off.
 */
function oneAfterTheOther(world: World): Family {
  const nodes = 5;
  const plans = all(nodes, 'brisk');
  const begins = world.between(3_500, 4_500);
  const turn = begins + world.between(1_200, 2_400);
  const [asker, first, second] = [nodeName(1), nodeName(2), nodeName(3)];
  const faults: Fault[] = [
    cut(asker, begins, begins + world.between(9_000, 14_000)),
    { kind: 'hold', who: first, from: turn - world.between(1_600, 2_100), until: turn },
    {
      kind: 'cut',
      who: second,
      direction: 'in',
      from: turn - world.between(700, 1_200),
      until: turn + world.between(500, 3_000),
    },
    {
      kind: 'pause',
      who: second,
      from: turn - world.between(100, 300),
      until: turn + world.between(200, 450),
    },
  ];
  return { plans, nodes, faults };
}
