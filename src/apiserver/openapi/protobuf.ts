/** A writer of protocol buffers: just the wire format, for the one message that kubectl insists on (OpenAPI v2). */

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;

/** The parts of one message, in the order of writing. Fields with default values are left out, as proto3 does. */
export class MessageWriter {
  readonly #parts: Buffer[] = [];

  text(field: number, value: string | undefined): this {
    return value === undefined || value === '' ? this : this.#bytes(field, Buffer.from(value));
  }

  texts(field: number, values: readonly string[] | undefined): this {
    for (const value of values ?? []) this.#bytes(field, Buffer.from(value));
    return this;
  }

  flag(field: number, value: boolean | undefined): this {
    return value === true ? this.#number(field, 1) : this;
  }

  /** A non-negative integer. */
  integer(field: number, value: number | undefined): this {
    return value === undefined || value === 0 ? this : this.#number(field, value);
  }

  double(field: number, value: number | undefined): this {
    if (value === undefined || value === 0) return this;
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.#parts.push(varint(field * 8 + FIXED_64), bytes);
    return this;
  }

  message(field: number, value: MessageWriter | undefined): this {
    return value === undefined ? this : this.#bytes(field, value.finish());
  }

  messages(field: number, values: readonly MessageWriter[]): this {
    for (const value of values) this.#bytes(field, value.finish());
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #bytes(field: number, value: Buffer): this {
    this.#parts.push(varint(field * 8 + LENGTH), varint(value.length), value);
    return this;
  }

  #number(field: number, value: number): this {
    this.#parts.push(varint(field * 8 + VARINT), varint(value));
    return this;
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
