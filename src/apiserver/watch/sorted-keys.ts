/** Keys in byte order (ours are ASCII), so that lists come in the store's order and a namespace is one range. */
export class SortedKeys {
  #keys: string[];

  constructor(keys: Iterable<string> = []) {
    this.#keys = [...keys].sort();
  }

  add(key: string): void {
    const position = this.#position(key);
    if (this.#keys[position] !== key) this.#keys.splice(position, 0, key);
  }

  remove(key: string): void {
    const position = this.#position(key);
    if (this.#keys[position] === key) this.#keys.splice(position, 1);
  }

  /** The keys that begin with `prefix`. */
  *below(prefix: string): Generator<string> {
    for (let position = this.#position(prefix); position < this.#keys.length; position++) {
      const key = this.#keys[position] as string;
      if (!key.startsWith(prefix)) return;
      yield key;
    }
  }

  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
