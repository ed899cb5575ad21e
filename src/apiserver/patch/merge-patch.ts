import { assign, isMap, type JsonMap } from '../schema/value.ts';

/** JSON merge patch (RFC 7386): the patched copy of `target`; neither argument is changed, nothing is shared with `target`. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return structuredClone(patch);
  const result: JsonMap = isMap(target) ? structuredClone(target) : {};
  mergeInto(result, patch);
  return result;
}

function mergeInto(target: JsonMap, patch: JsonMap): void {
  for (const [name, change] of Object.entries(patch)) {
    const old = Object.hasOwn(target, name) ? target[name] : undefined;
    if (change === null) delete target[name];
    else if (!isMap(change)) assign(target, name, structuredClone(change));
    else if (isMap(old)) mergeInto(old, change);
    else assign(target, name, applyMergePatch({}, change));
  }
}
