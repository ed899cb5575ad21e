import type { Fate } from '../../plan/failover/node-loss.ts';
import { formatTable } from '../table.ts';
import type { NodeLoss } from './read-node-loss.ts';

/** For people: in the order in which it would be done, and what it comes to. */
export function formatNodeLoss({ node, fenced, containers }: NodeLoss): string {
  const proof = fenced.byTime
    ? `${node} is fenced ${fenced.afterSeconds} s after its last renewal.`
    : `${node} is not fenced by time: ${fenced.why}. Nothing moves before somebody confirms that it is off.`;
  if (containers.length === 0) return `${proof}\nNo container is placed on ${node}.\n`;
  const rows = [
    ['CONTAINER', 'PRIORITY', 'GOES TO', 'HOW'],
    ...containers.map(({ key, priority, fate }) => [key, String(priority), ...cells(fate)]),
  ];
  const count = (does: Fate['does']): number => containers.filter(({ fate }) => fate.does === does).length;
  const sum = `${count('move')} would be placed elsewhere, ${count('wait')} fit nowhere, ${count('stay')} would wait for ${node}.`;
  return `${proof}\n\n${formatTable(rows)}\n${sum}\n`;
}

function cells(fate: Fate): [string, string] {
  switch (fate.does) {
    case 'move':
      return [
        fate.target,
        fate.how === 'Recover' ? 'with its data' : 'anew from the image: what is on its root is lost',
      ];
    case 'wait':
      return ['-', `no room: ${fate.message}`];
    default:
      return ['-', `waits: ${fate.reason}`];
  }
}
