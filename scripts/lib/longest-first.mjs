// The order in which jest starts test files: the longest first, so that none of them runs alone at the end of a stage. jest itself knows how
// long a file took from a cache only, which a new checkout does not have; then it goes by the files' sizes, which say nothing here.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import Sequencer from '@jest/test-sequencer';

const folder = join(import.meta.dirname, '../../test');
/** Of files that take long: seconds on two cores, by their path below test/. Only the order counts. */
const seconds = JSON.parse(readFileSync(join(folder, 'durations.json'), 'utf8'));

export default class LongestFirst extends Sequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    return [...sorted].sort((one, other) => secondsOf(other) - secondsOf(one));
  }
}

const secondsOf = ({ path }) => seconds[relative(folder, path)] ?? 0;
