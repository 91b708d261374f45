/** Takes a secret from a person, without showing it, or from a pipe. Never from the command line, which others can read. */
import { StringDecoder } from 'node:string_decoder';
import { CommandError, EXIT } from './exit.ts';

const MAX_BYTES = 4_096;

export interface SecretSource {
  readonly input: NodeJS.ReadStream;
  /** Where the question goes. */
  readonly output: NodeJS.WritableStream;
}

/** The first line of a pipe; on a terminal what is typed, twice. Throws CommandError where the two differ, or at Ctrl-C. */
export async function askSecret(
  what: string,
  { input, output }: SecretSource = { input: process.stdin, output: process.stderr },
): Promise<string> {
  if (!input.isTTY) return firstLine(input);
  const first = await typed(`${what}: `, input, output);
  const second = await typed(`${what}, once more: `, input, output);
  if (first !== second) throw new CommandError(EXIT.usage, 'the two are not the same', 'type it again');
  return first;
}

async function firstLine(input: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk as Buffer));
    bytes += chunks.at(-1)?.length ?? 0;
    if (bytes > MAX_BYTES) throw new CommandError(EXIT.usage, `more than ${MAX_BYTES} bytes are no password`);
  }
  return Buffer.concat(chunks).toString('utf8').split(/\r?\n/, 1)[0] ?? '';
}

/** Nothing of it is shown, not even its length. */
async function typed(question: string, input: NodeJS.ReadStream, output: NodeJS.WritableStream): Promise<string> {
  output.write(question);
  input.setRawMode(true);
  try {
    return await readTyped(input);
  } finally {
    input.setRawMode(false);
    input.pause();
    output.write('\n');
  }
}

function readTyped(input: NodeJS.ReadStream): Promise<string> {
  const decoder = new StringDecoder('utf8');
  return new Promise((resolve, reject) => {
    let text: string[] = [];
    const end = (done: () => void) => {
      input.off('data', take);
      input.off('end', gone);
      done();
    };
    const gone = () => end(() => reject(new CommandError(EXIT.interrupted, 'the terminal is gone')));
    const take = (chunk: Buffer) => {
      const keys = decoder.write(chunk);
      // Arrows and the like mean nothing here.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal sends
      for (const key of keys.replace(/\u001b(\[[0-9;]*[~A-Za-z]|O.)?/g, '')) {
        if (key === '\u0003') return end(() => reject(new CommandError(EXIT.interrupted, 'nothing is changed')));
        if (key === '\r' || key === '\n') return end(() => resolve(text.join('')));
        if (key === '\u007f' || key === '\b') text = text.slice(0, -1);
        else if (key === '\u0015') text = [];
        else if (key >= ' ') text.push(key);
      }
    };
    input.on('data', take);
    input.on('end', gone);
    input.resume();
  });
}
