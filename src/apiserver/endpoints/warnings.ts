/** `Warning: 299` headers, which kubectl prints for the person. */
export interface Warnings {
  warn(message: string): void;
  headers(): Record<string, string[]>;
}

/** As in kube-apiserver, so that an answer's headers stay small. */
const MAX_TOTAL_LENGTH = 4096;
const MAX_LENGTH = 256;

export function createWarnings(): Warnings {
  const messages = new Set<string>();
  let total = 0;
  return {
    warn(message) {
      const text = printable(message);
      if (total + text.length > MAX_TOTAL_LENGTH || messages.has(text)) return;
      messages.add(text);
      total += text.length;
    },
    headers() {
      if (messages.size === 0) return {};
      return { warning: [...messages].map((text) => `299 - "${text.replaceAll(/["\\]/g, '\\$&')}"`) };
    },
  };
}

/** Header values are printable ASCII. */
function printable(message: string): string {
  const text = message.replaceAll(/[^\x20-\x7e]+/g, ' ');
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH - 3)}...`;
}
