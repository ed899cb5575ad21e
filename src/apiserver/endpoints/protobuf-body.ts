import { badRequest } from '../status.ts';
import { type Field, type Message, messageFor } from './protobuf-messages.ts';

/**
 * Request bodies in Kubernetes' protobuf: an envelope (`k8s`, a zero byte, `runtime.Unknown`) around one message. The result
 * is what the JSON of the same object would say.
 */
const MAGIC = Buffer.from('k8s\0');
const MAX_DEPTH = 32;

/** @throws ApiError 400 when it cannot be read, or has a field that is not known here */
export function decodeProtobuf(body: Buffer): Record<string, unknown> {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw badRequest('provided data does not appear to be a protobuf message');
  }
  const envelope = [...fieldsOf(body.subarray(MAGIC.length))];
  const part = (number: number): Buffer => bytesOf(envelope.find((field) => field.number === number)?.value);
  const type = new Map(
    [...fieldsOf(part(1))].map(({ number, value }) => [number, bytesOf(value).toString()]),
  );
  const apiVersion = type.get(1) ?? '';
  const kind = type.get(2) ?? '';
  const message = messageFor(apiVersion, kind);
  if (message === undefined) {
    throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}" in protobuf`);
  }
  return { apiVersion, kind, ...decodeMessage(part(2), message, kind, 0) };
}

function decodeMessage(
  bytes: Buffer,
  message: Message,
  path: string,
  depth: number,
): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw malformed('too deep');
  const object: Record<string, unknown> = {};
  for (const { number, value } of fieldsOf(bytes)) {
    const field = message[number];
    if (field === undefined) {
      // Go writes every field that is no pointer, empty or not.
      if (value === 0n || (Buffer.isBuffer(value) && value.length === 0)) continue;
      throw badRequest(`protobuf: field ${number} of ${path} is not supported by this server: send JSON`);
    }
    const decoded = decodeField(value, field, `${path}.${field.name}`, depth);
    if (isEmpty(decoded) && field.isOptional !== true && field.isRepeated !== true) continue;
    add(object, field, decoded);
  }
  return object;
}

/** Maps come as one message an entry, lists as one field an item. */
function add(object: Record<string, unknown>, field: Field, decoded: unknown): void {
  const present = object[field.name];
  if (field.isRepeated === true) object[field.name] = [...((present as unknown[]) ?? []), decoded];
  else if (field.type === 'textMap' || field.type === 'bytesMap' || field.type === 'textsMap') {
    object[field.name] = { ...(present as object), ...(decoded as object) };
  } else object[field.name] = decoded;
}

function decodeField(value: bigint | Buffer, field: Field, path: string, depth: number): unknown {
  switch (field.type) {
    case 'text':
      return textOf(value);
    case 'integer':
      return integerOf(value);
    case 'flag':
      return integerOf(value) !== 0;
    case 'time':
    case 'microTime':
      return timeOf(bytesOf(value), field.type === 'microTime');
    case 'bytes':
      return bytesOf(value).toString('base64');
    case 'textMap':
    case 'bytesMap':
    case 'textsMap':
      return entryOf(bytesOf(value), field.type);
    default:
      return decodeMessage(bytesOf(value), field.type, path, depth + 1);
  }
}

function entryOf(
  bytes: Buffer,
  type: 'textMap' | 'bytesMap' | 'textsMap',
): Record<string, string | string[]> {
  let key = '';
  let content: Buffer = Buffer.alloc(0);
  for (const { number, value } of fieldsOf(bytes)) {
    if (number === 1) key = textOf(value);
    else if (number === 2) content = bytesOf(value);
  }
  if (type === 'textsMap') return { [key]: [...fieldsOf(content)].map((item) => textOf(item.value)) };
  return { [key]: type === 'bytesMap' ? content.toString('base64') : textOf(content) };
}

/** An empty message is the zero time, which JSON leaves out. */
function timeOf(bytes: Buffer, hasMicroseconds: boolean): string | undefined {
  if (bytes.length === 0) return undefined;
  let seconds = 0;
  let nanos = 0;
  for (const { number, value } of fieldsOf(bytes)) {
    if (number === 1) seconds = integerOf(value);
    else if (number === 2) nanos = integerOf(value);
  }
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw malformed('a time is out of range');
  const whole = date.toISOString().slice(0, 19);
  if (!hasMicroseconds) return `${whole}Z`;
  return `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

interface WireField {
  number: number;
  value: bigint | Buffer;
}

/** The fields of a message in order. Groups and fixed-width numbers are not used by the kinds that are known here. */
function* fieldsOf(bytes: Buffer): Generator<WireField> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw malformed('unexpected EOF');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed('integer overflow');
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { number, value: varint() };
        break;
      case 2: {
        const length = Number(varint());
        if (length > bytes.length - at) throw malformed('unexpected EOF');
        yield { number, value: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      default:
        throw malformed(`wire type ${tag % 8}`);
    }
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(value: bigint | Buffer): string {
  try {
    return decoder.decode(bytesOf(value));
  } catch {
    throw malformed('a text is not UTF-8');
  }
}

function bytesOf(value: bigint | Buffer | undefined): Buffer {
  if (value === undefined) return Buffer.alloc(0);
  if (typeof value === 'bigint') throw malformed('an integer where bytes belong');
  return value;
}

function integerOf(value: bigint | Buffer): number {
  if (typeof value !== 'bigint') throw malformed('bytes where an integer belongs');
  return Number(BigInt.asIntN(64, value));
}

const malformed = (why: string) => badRequest(`proto: cannot parse the body of the request: ${why}`);
