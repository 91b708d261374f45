/** Questions on a terminal, one line each, so that they work over ssh and on a serial console. Ctrl-C and Ctrl-D end them all. */
import { createInterface } from 'node:readline/promises';
import type { Readable } from 'node:stream';
import { Writable } from 'node:stream';
import { CommandError, EXIT } from './exit.ts';
import { paint, safe } from './output.ts';

export interface Choice<T> {
  readonly label: string;
  readonly value: T;
}

export interface Prompter {
  tell(line: string): void;
  /** `check` says what is wrong with an answer, or null. An empty answer is `preset`. */
  text(question: string, preset: string, check?: (text: string) => string | null): Promise<string>;
  /** Not echoed. */
  secret(question: string): Promise<string>;
  /** The first choice is what an empty answer means. */
  choose<T>(question: string, choices: readonly Choice<T>[]): Promise<T>;
  confirm(question: string, preset: boolean): Promise<boolean>;
  /** Runs `work`, whose lines replace each other, until Enter is pressed. */
  untilEnter(work: (show: (line: string) => void, signal: AbortSignal) => Promise<void>): Promise<void>;
}

export interface OpenPrompter extends Prompter {
  /** Aborts when no more questions will be answered. */
  readonly ended: AbortSignal;
  close(): void;
}

interface Lines {
  readonly left: AbortSignal;
  ask(question: string): Promise<string>;
  /** The same with nothing echoed. */
  askMuted(): Promise<string>;
  close(): void;
}

function openLines(input: Readable, output: NodeJS.WriteStream): Lines {
  let isMuted = false;
  const echo = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!isMuted) output.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input, output: echo, terminal: true });
  const left = new AbortController();
  lines.on('SIGINT', () => left.abort());
  lines.on('close', () => left.abort());
  const ask = async (question: string): Promise<string> => {
    try {
      return (await lines.question(question, { signal: left.signal })).trim();
    } catch (cause) {
      output.write('\n');
      throw new CommandError(EXIT.interrupted, 'you have left: nothing was written', null, { cause });
    }
  };
  return {
    left: left.signal,
    ask,
    async askMuted() {
      isMuted = true;
      try {
        return await ask('');
      } finally {
        isMuted = false;
      }
    },
    close: () => lines.close(),
  };
}

/** `output` is the terminal. Rejects its questions with a CommandError (130) once the person has left. */
export function openPrompter(input: Readable, output: NodeJS.WriteStream): OpenPrompter {
  const { left, ask, askMuted, close } = openLines(input, output);
  const mark = paint('?', 'cyan', output);
  const tell = (line: string) => void output.write(`${line}\n`);
  const text: Prompter['text'] = async (question, preset, check = () => null) => {
    for (;;) {
      const said = (await ask(`${mark} ${question}${preset === '' ? '' : ` [${preset}]`}: `)) || preset;
      const wrong = check(said);
      if (wrong === null) return said;
      tell(paint(wrong, 'yellow', output));
    }
  };
  return {
    ended: left,
    tell,
    text,
    async secret(question) {
      output.write(`${mark} ${question}: `);
      const said = await askMuted();
      tell('');
      return said;
    },
    async choose(question, choices) {
      tell(`${mark} ${question}`);
      for (const [i, { label }] of choices.entries()) tell(`  ${i + 1}) ${safe(label)}`);
      const chosen = (said: string) => choices[/^\d+$/.test(said) ? Number(said) - 1 : -1];
      const wrong = `a number from 1 to ${choices.length}`;
      const said = await text('number', '1', (answer) => (chosen(answer) === undefined ? wrong : null));
      const choice = chosen(said);
      if (choice === undefined) throw new Error(wrong);
      return choice.value;
    },
    async confirm(question, preset) {
      const wrong = (said: string) => (/^(?:y|yes|n|no)$/i.test(said) ? null : 'y or n');
      return /^y/i.test(await text(`${question} (y/n)`, preset ? 'y' : 'n', wrong));
    },
    async untilEnter(work) {
      const over = new AbortController();
      const show = (line: string) => {
        if (over.signal.aborted) return;
        output.write(`\r\u001b[K${safe(line).slice(0, Math.max(20, output.columns || 80) - 1)}`);
      };
      const working = work(show, AbortSignal.any([over.signal, left])).then(
        () => null,
        (error: unknown) => error,
      );
      try {
        await askMuted();
      } finally {
        over.abort();
        output.write('\r\u001b[K');
      }
      const failure = await working;
      if (failure !== null) throw failure;
    },
    close,
  };
}
