import { setFlagsFromString } from 'node:v8';

/**
 * Patterns of schemas, which users write. A backtracking engine can be made to run for hours by `(a+)+$` and a string of
 * forty letters; so every pattern runs on V8's linear-time engine (flag `l`), which cannot. It does not count, so counted
 * repetitions are written out first. What it cannot run at all (look-around, back-references) is not RE2 either, which
 * Kubernetes uses, and is refused.
 */
setFlagsFromString('--enable-experimental-regexp-engine');

const LINEAR = 'l';
/** Repetitions written out grow; a pattern longer than this is refused. */
const MAX_EXPANDED = 20_000;
const MAX_COMPILED = 5_000;
const compiled = new Map<string, RegExp>();

/** @throws SyntaxError when the pattern is not one, or cannot run in linear time */
export function compilePattern(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const expression = new RegExp(expandRepetitions(pattern), LINEAR);
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(pattern, expression);
  return expression;
}

export const matches = (pattern: string, text: string): boolean => compilePattern(pattern).test(text);

const TOKEN =
  /\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|c[A-Za-z]|[^])|\[(?:\\[^]|[^\]\\])*\]|\((?:\?(?::|<?[=!]|<[^>]*>))?|\{\d+(?:,\d*)?\}\??|[^]/y;
const COUNTED = /^\{(\d+)(,(\d*))?\}(\??)$/;

/** `a{2,3}` becomes `aa(?:a)?`. */
function expandRepetitions(pattern: string): string {
  let out = '';
  let atomAt = 0;
  const groups: number[] = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < pattern.length;) {
    const token = (TOKEN.exec(pattern) as RegExpExecArray)[0];
    const counted = COUNTED.exec(token);
    if (counted) {
      const atom = out.slice(atomAt);
      out = out.slice(0, atomAt) + repeated(atom, counted);
      if (out.length > MAX_EXPANDED) throw new SyntaxError(`pattern ${pattern} repeats too much`);
      continue;
    }
    if (token.startsWith('(')) groups.push(out.length);
    if (token === ')') atomAt = groups.pop() ?? 0;
    else if (!/^[*+?]$/.test(token)) atomAt = out.length;
    out += token;
  }
  return out;
}

function repeated(atom: string, [, min, comma, max, lazy]: RegExpExecArray): string {
  const least = Number(min);
  const most = comma === undefined ? least : max === '' ? Infinity : Number(max);
  if (most < least) throw new SyntaxError('numbers out of order in {} quantifier');
  const optional = most - least;
  if (atom.length * (most === Infinity ? least + 1 : most) > MAX_EXPANDED)
    throw new SyntaxError('pattern repeats too much');
  const head = atom.repeat(least);
  if (optional === Infinity) return `${head}(?:${atom})*${lazy}`;
  return (
    head +
    `(?:${atom}`.repeat(optional) +
    `)?${lazy}`.repeat(optional) +
    (least + optional === 0 ? '(?:)' : '')
  );
}
