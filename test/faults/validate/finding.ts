/** One promise that was broken: by which rule, and what shows it. */
export interface Finding {
  rule: Rule;
  text: string;
}

/** All rules. Each has a record in the unit tests that it, and nothing else, finds fault with. */
export const RULES = [
  'one live writer',
  'no start without proof',
  'no hasty revocation',
  'a cut-off host stops in time',
  'an outage stops nothing',
  'no write is lost',
  'watches are in order',
  'watches are complete',
  'a full disk is told',
  'the desired state is saved',
  'everything runs at the begin',
  'everything converges',
  'no writes at rest',
] as const;
export type Rule = (typeof RULES)[number];

export const findingOf =
  (rule: Rule) =>
  (text: string): Finding[] => [{ rule, text }];
