/**
 * Keys of `spec.config` that a host takes unless its operator says otherwise: those that change nothing outside the
 * container and that Hostler does not set itself. Never here: raw.*, security.privileged, boot.*, volatile.*, limits
 * that spec.resources states, and our own marks.
 */
export const DEFAULT_ALLOWED_CONFIG: readonly string[] = [
  'cloud-init.*',
  'environment.*',
  'limits.cpu.priority',
  'limits.disk.priority',
  'limits.memory.enforce',
  'limits.memory.swap',
  'limits.memory.swap.priority',
  'limits.processes',
  'security.guestapi',
  'security.devlxd',
  'security.idmap.isolated',
  'security.nesting',
  'user.*',
];

/** Set by Hostler alone: no pattern reaches them. */
const RESERVED = [/^user\.hostler\./, /^volatile\./, /^boot\.autostart$/, /^boot\.autorestart$/];
const PATTERN = /^[a-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?$/;

/** @returns why `pattern` cannot stand in an allow-list; undefined when it can. `a.*` stands for every key below `a.` */
export function configPatternFault(pattern: string): string | undefined {
  if (PATTERN.test(pattern)) return undefined;
  return `${JSON.stringify(pattern)} is no key of an instance's configuration, such as limits.processes or environment.*`;
}

/** The keys of `config` that no pattern of `allowed` covers, sorted. */
export function forbiddenConfigKeys(
  config: Readonly<Record<string, string>> | undefined,
  allowed: readonly string[],
): string[] {
  return Object.keys(config ?? {})
    .filter((key) => !isAllowed(key, allowed))
    .sort();
}

function isAllowed(key: string, allowed: readonly string[]): boolean {
  if (RESERVED.some((reserved) => reserved.test(key))) return false;
  return allowed.some((pattern) =>
    pattern.endsWith('.*') ? key.startsWith(pattern.slice(0, -1)) : key === pattern,
  );
}
