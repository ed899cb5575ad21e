import { describe } from '@jest/globals';
import { describeNodes } from './placement/nodes.ts';
import { describePools } from './placement/pools.ts';
import { describeRoom } from './placement/room.ts';
import { useCluster } from './scene.ts';

describe('the place of containers', () => {
  const trial = useCluster();
  describe('as nodes allow it', () => {
    describeNodes(trial);
  });
  describe('as room and neighbours allow it', () => {
    describeRoom(trial);
  });
  describe('on storage pools', () => {
    describePools(trial);
  });
});
