/** Writes golden/*.log anew, from the comments and schedules in them: npm run golden */
import { writeFileSync } from 'node:fs';
import { readGoldens, replay } from './golden.ts';

for (const golden of readGoldens()) {
  const { text, violations } = replay(golden);
  if (violations.length > 0) throw new Error(`${golden.name}: ${violations.join('; ')}`);
  if (text === golden.text) continue;
  writeFileSync(golden.path, text);
  console.log(`${golden.name} is another one now`);
}
