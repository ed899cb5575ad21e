import { Type } from 'typebox';

/** A Kubernetes quantity as it stands in an object: `500m`, `2`, `1Gi`, or a bare number; here never negative. */
export type Quantity = string | number;

const PATTERN =
  '^(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$';
const EXPRESSION = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;

const BINARY: Record<string, number> = {
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};
const DECIMAL: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
};

export function quantitySchema(description: string) {
  return Type.Unsafe<Quantity>({
    description,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    pattern: PATTERN,
    'x-kubernetes-int-or-string': true,
  });
}

/**
 * The value of a quantity in its base unit (cores, bytes).
 * @returns undefined when `quantity` is not one
 */
export function parseQuantity(quantity: Quantity): number | undefined {
  if (typeof quantity === 'number') return Number.isFinite(quantity) ? quantity : undefined;
  const [, sign, digits, suffix = ''] = EXPRESSION.exec(quantity) ?? [];
  if (digits === undefined) return undefined;
  const magnitude = Number(digits) * scaleOf(suffix);
  return sign === '-' ? -magnitude : magnitude;
}

/** Thousandths of a core, rounded up as Kubernetes does; 0 when absent or not a quantity. */
export function milliCpu(quantity: Quantity | undefined): number {
  return quantity === undefined ? 0 : Math.ceil((parseQuantity(quantity) ?? 0) * 1000 - 1e-6);
}

/** Whole bytes, rounded up; 0 when absent or not a quantity. */
export function bytesOf(quantity: Quantity | undefined): number {
  return quantity === undefined ? 0 : Math.ceil(parseQuantity(quantity) ?? 0);
}

/** `bytes` in the largest binary unit that divides it: 1073741824 is `1Gi`. */
export function formatBytes(bytes: number): string {
  for (const unit of ['Ei', 'Pi', 'Ti', 'Gi', 'Mi', 'Ki']) {
    const scale = BINARY[unit] as number;
    if (bytes >= scale && bytes % scale === 0) return `${bytes / scale}${unit}`;
  }
  return String(bytes);
}

function scaleOf(suffix: string): number {
  if (suffix === '') return 1;
  if (/^[eE]/.test(suffix) && suffix.length > 1 && !(suffix in BINARY)) return 10 ** Number(suffix.slice(1));
  return BINARY[suffix] ?? DECIMAL[suffix] ?? Number.NaN;
}
