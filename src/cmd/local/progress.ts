import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';

/** What a step did: `unchanged` when all of it was there already. */
export type Outcome = 'done' | 'unchanged';

/**
 * Tells a person what goes on, one line per step with its time: on a terminal with something that moves, elsewhere with plain
 * lines. Steps that found everything in place say nothing outside of a terminal.
 */
export interface Progress {
  /** Runs one step; `say` shows how far it is. Rejects with what `run` rejected with, after the line said so. */
  step(title: string, run: (say: (detail: string) => void) => Promise<Outcome>): Promise<Outcome>;
}

export interface Output {
  isTTY?: boolean;
  write(text: string): unknown;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export function createProgress(output: Output, monotonicMs: () => number): Progress {
  return {
    async step(title, run) {
      const begunMs = monotonicMs();
      const seconds = (): string => `${((monotonicMs() - begunMs) / 1000).toFixed(1)} s`;
      const moving = output.isTTY === true ? spinner(output, title, seconds) : undefined;
      let outcome: Outcome;
      try {
        outcome = await run((detail) => moving?.say(detail));
      } catch (error) {
        moving?.stop();
        output.write(`${mark(output, 'red', '✘')} ${title} failed after ${seconds()}\n`);
        throw error;
      }
      moving?.stop();
      if (outcome === 'done') output.write(`${mark(output, 'green', '✔')} ${title} (${seconds()})\n`);
      return outcome;
    },
  };
}

function mark(output: Output, colour: 'red' | 'green', text: string): string {
  return output.isTTY === true ? styleText(colour, text) : text;
}

function spinner(output: Output, title: string, seconds: () => string) {
  let frame = 0;
  let detail = '';
  const draw = (): void => {
    frame = (frame + 1) % FRAMES.length;
    output.write(`\r\u001B[K${FRAMES[frame]} ${title} ${seconds()}${detail === '' ? '' : `: ${detail}`}`);
  };
  draw();
  const timer = setInterval(draw, 120);
  return {
    say(text: string): void {
      detail = text;
      draw();
    },
    stop(): void {
      clearInterval(timer);
      output.write('\r\u001B[K');
    },
  };
}

/** A step failed, and this log may say why. */
export class StepError extends Error {
  readonly logFile: string;

  constructor(message: string, logFile: string, cause: unknown) {
    super(message, { cause });
    this.name = 'StepError';
    this.logFile = logFile;
  }
}

/** The last lines of a log, indented; empty when there is none. */
export function endOfLog(path: string, lines = 15): string {
  try {
    const text = readFileSync(path, 'utf8').trimEnd();
    if (text === '') return '';
    return text
      .split('\n')
      .slice(-lines)
      .map((line) => `    ${line}\n`)
      .join('');
  } catch (error) {
    return `    (cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'})\n`;
  }
}
