/** Looks at a JSON text for what JSON.parse passes over: keys that stand twice in one object, and absurd depth. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Deeper than any real object, shallow enough for every recursive function that will see the value. */
export const MAX_DEPTH = 256;

interface Frame {
  /** Keys of the object so far; undefined for an array. */
  keys: Set<string> | undefined;
  path: string;
  index: number;
  key: string;
}

/**
 * @param text valid JSON
 * @returns `spec.image` for each key that comes again, in order; `tooDeep` beyond MAX_DEPTH
 */
export function findRepeatedKeys(text: string): { repeated: string[]; tooDeep: boolean } {
  const repeated: string[] = [];
  const stack: Frame[] = [];
  let wantsKey = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      const frame = stack.at(-1);
      if (wantsKey && frame?.keys !== undefined) {
        noteKey(frame, keyOf(text, at, end), repeated);
        wantsKey = false;
      }
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      if (stack.length >= MAX_DEPTH) return { repeated, tooDeep: true };
      const keys = code === 0x7b ? new Set<string>() : undefined;
      stack.push({ keys, path: pathInside(stack.at(-1)), index: 0, key: '' });
      wantsKey = keys !== undefined;
    } else if (code === 0x7d || code === 0x5d) {
      stack.pop();
      wantsKey = false;
    } else if (code === 0x2c) {
      const frame = stack.at(-1);
      if (frame !== undefined) frame.index += 1;
      wantsKey = frame?.keys !== undefined;
    }
  }
  return { repeated, tooDeep: false };
}

function noteKey(frame: Frame, key: string, repeated: string[]): void {
  frame.key = key;
  if (frame.keys?.has(key)) repeated.push(pathInside(frame));
  else frame.keys?.add(key);
}

function keyOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}

function pathInside(frame: Frame | undefined): string {
  if (frame === undefined) return '';
  if (frame.keys === undefined) return `${frame.path}[${frame.index}]`;
  return frame.path === '' ? frame.key : `${frame.path}.${frame.key}`;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1;
  }
  return text.length;
}
