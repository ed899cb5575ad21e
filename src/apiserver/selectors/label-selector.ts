import { badRequest } from '../status.ts';
import { labelKeyFault, labelValueFault } from './qualified-name.ts';

/** A label selector as requirements that all must hold. */
export type LabelSelector = readonly LabelRequirement[];

export interface LabelRequirement {
  key: string;
  operator: 'in' | 'notin' | 'exists' | '!exists' | 'gt' | 'lt';
  values: readonly string[];
}

type Labels = Readonly<Record<string, string>> | undefined;

export function matchesLabels(selector: LabelSelector, labels: Labels): boolean {
  return selector.every((requirement) => holds(requirement, labels));
}

function holds({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!exists':
      return value === undefined;
    default: {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
      return operator === 'gt' ? Number(value) > Number(values[0]) : Number(value) < Number(values[0]);
    }
  }
}

/**
 * Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.
 * @throws ApiError 400, worded as Kubernetes words it
 */
export function parseLabelSelector(text: string): LabelSelector {
  const parser = new Parser(text);
  const requirements: LabelRequirement[] = [];
  if (parser.peek().kind === 'end') return requirements;
  for (;;) {
    requirements.push(parser.requirement());
    const token = parser.next();
    if (token.kind === 'end') return requirements;
    if (token.text !== ',') throw refused(`found '${token.text}', expected: ',' or 'end of string'`);
    const after = parser.peek();
    if (after.kind === 'end' || !(after.kind === 'word' || after.text === '!')) {
      throw refused(`found '${after.text}', expected: identifier after ','`);
    }
  }
}

const refused = (why: string): Error => badRequest(`unable to parse requirement: ${why}`);

interface Token {
  kind: 'word' | 'symbol' | 'end';
  text: string;
}

const LEXER = /\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+|$)/y;

class Parser {
  readonly #tokens: Token[] = [];
  #position = 0;

  constructor(text: string) {
    LEXER.lastIndex = 0;
    for (;;) {
      const found = (LEXER.exec(text) as RegExpExecArray)[1] as string;
      if (found === '') break;
      this.#tokens.push({ kind: /^[=!<>(),]/.test(found) ? 'symbol' : 'word', text: found });
    }
  }

  peek(): Token {
    return this.#tokens[this.#position] ?? { kind: 'end', text: '' };
  }

  next(): Token {
    const token = this.peek();
    this.#position += 1;
    return token;
  }

  requirement(): LabelRequirement {
    const isNegated = this.peek().text === '!';
    if (isNegated) this.next();
    const key = this.#key();
    const after = this.peek();
    if (isNegated) return { key, operator: '!exists', values: [] };
    if (after.kind === 'end' || after.text === ',') return { key, operator: 'exists', values: [] };
    return this.#comparison(key, this.next().text);
  }

  #key(): string {
    const token = this.next();
    if (token.kind !== 'word') throw refused(`found '${token.text}', expected: identifier`);
    const fault = labelKeyFault(token.text);
    if (fault !== undefined) throw refused(`key: Invalid value: ${JSON.stringify(token.text)}: ${fault}`);
    return token.text;
  }

  #comparison(key: string, operator: string): LabelRequirement {
    switch (operator) {
      case '=':
      case '==':
        return { key, operator: 'in', values: checked(key, [this.#value()]) };
      case '!=':
        return { key, operator: 'notin', values: checked(key, [this.#value()]) };
      case 'in':
      case 'notin':
        return { key, operator, values: checked(key, this.#set()) };
      case '<':
      case '>':
        return { key, operator: operator === '>' ? 'gt' : 'lt', values: [integer(this.#value())] };
      default:
        throw refused(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #value(): string {
    const token = this.peek();
    if (token.kind === 'end' || token.text === ',') return '';
    if (token.kind !== 'word') throw refused(`found '${token.text}', expected: identifier`);
    return this.next().text;
  }

  #set(): string[] {
    const open = this.next();
    if (open.text !== '(') throw refused(`found '${open.text}' expected: '('`);
    const values: string[] = [];
    for (;;) {
      values.push(this.peek().text === ')' ? '' : this.#value());
      const token = this.next();
      if (token.text === ')') return [...new Set(values)];
      if (token.text !== ',') throw refused(`found '${token.text}', expected: ',', or ')'`);
    }
  }
}

function checked(key: string, values: string[]): string[] {
  for (const [index, value] of values.entries()) {
    const fault = labelValueFault(value);
    if (fault !== undefined)
      throw refused(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${fault}`);
  }
  return values;
}

function integer(value: string): string {
  if (/^[+-]?\d+$/.test(value)) return value;
  throw refused(
    `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
  );
}
