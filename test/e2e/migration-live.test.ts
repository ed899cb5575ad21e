import { spawnSync } from 'node:child_process';
import { describe, it } from '@jest/globals';
import { LIVE_FOLDER } from '../../src/config/local.ts';
import { describeKills } from './migration/kills.ts';
import { describeLiveMoves } from './migration/live.ts';
import { useCluster } from './scene.ts';

const isInstalled = spawnSync(`${LIVE_FOLDER}/bin/criu`, ['--version']).status === 0;

if (isInstalled) {
  const trial = useCluster({ live: true });
  describe('a live migration', () => {
    describeLiveMoves(trial);
    describeKills(trial, 'LiveIfPossible');
  });
} else {
  describe('a live migration', () => {
    it.todo('wants criu: scripts/setup --live');
  });
}
