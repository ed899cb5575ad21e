/**
 * The JSONPath of printer columns and selectable fields: `.a.b`, `['a']`, `[0]`, `[-1]`, `[*]` and the filter
 * `[?(@.type=="Ready")]`, dots in names escaped as `\.`. Compiled once and kept.
 */

type Step = (values: unknown[]) => unknown[];

/** Schemas name a handful of paths; the bound keeps arbitrary ones from piling up. */
const MAX_COMPILED = 1_000;
const compiled = new Map<string, Step[]>();

const NAME = /^\.?((?:\\.|[^.[\]\\])+)/;
const QUOTED = /^\.?\['((?:\\.|[^'\\])*)'\]|^\.?\["((?:\\.|[^"\\])*)"\]/;
const INDEX = /^\[(-?\d+|\*)\]/;
const FILTER = /^\[\?\(@((?:\.[A-Za-z0-9_-]+)+)\s*(==|!=)\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^)]*?)\)\]/;

/**
 * All values that `path` finds in `object`, in order; empty when there are none. A printer column shows the first.
 * @throws SyntaxError when `path` is not of the form above
 */
export function evaluateJsonPath(object: unknown, path: string): unknown[] {
  let values: unknown[] = [object];
  for (const step of compileJsonPath(path)) values = step(values);
  return values;
}

/** @throws SyntaxError */
export function compileJsonPath(path: string): readonly Step[] {
  const known = compiled.get(path);
  if (known !== undefined) return known;
  const steps = parse(path);
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(path, steps);
  return steps;
}

function parse(path: string): Step[] {
  const steps: Step[] = [];
  let rest = path.startsWith('{') && path.endsWith('}') ? path.slice(1, -1) : path;
  if (rest.startsWith('$')) rest = rest.slice(1);
  if (rest === '' || rest === '.') return steps;
  while (rest !== '') {
    const [length, step] = nextStep(rest) ?? [0, undefined];
    if (step === undefined)
      throw new SyntaxError(`unrecognized JSONPath ${JSON.stringify(path)} at "${rest}"`);
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps;
}

function nextStep(rest: string): [number, Step] | undefined {
  const quoted = QUOTED.exec(rest);
  if (quoted) return [quoted[0].length, field(unescape(quoted[1] ?? quoted[2] ?? ''))];
  const index = INDEX.exec(rest);
  if (index) return [index[0].length, index[1] === '*' ? each : element(Number(index[1]))];
  const filter = FILTER.exec(rest);
  if (filter) {
    const [text, path, operator, literal] = filter as unknown as [string, string, string, string];
    return [text.length, matching(parse(path), operator === '==', literalOf(literal))];
  }
  const name = NAME.exec(rest);
  if (name === null) return undefined;
  return [name[0].length, name[1] === '*' ? each : field(unescape(name[1] as string))];
}

const unescape = (text: string): string => text.replaceAll(/\\(.)/g, '$1');

const field =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => (isMap(value) && Object.hasOwn(value, name) ? [value[name]] : []));

const element =
  (index: number): Step =>
  (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const position = index < 0 ? value.length + index : index;
      return position in value ? [value[position] as unknown] : [];
    });

const each: Step = (values) =>
  values.flatMap((value) => (Array.isArray(value) ? value : isMap(value) ? Object.values(value) : []));

const matching =
  (path: Step[], wantsEqual: boolean, literal: string): Step =>
  (values) =>
    values
      .flatMap((value) => (Array.isArray(value) ? (value as unknown[]) : []))
      .filter((item) => {
        let found: unknown[] = [item];
        for (const step of path) found = step(found);
        return found.length > 0 && (String(found[0]) === literal) === wantsEqual;
      });

const literalOf = (text: string): string => (/^["']/.test(text) ? unescape(text.slice(1, -1)) : text.trim());

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
