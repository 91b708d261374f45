/** Finds out how a receiver speaks: listens at each rate that is usual, until one gives bytes that some format can read. */
import { createDecoder, type DecoderOptions, FORMATS } from '../agent/decoder/decoder.ts';
import { textSample } from '../agent/decoder/sample.ts';
import type { Source } from '../agent/source/source.ts';

export type Format = DecoderOptions['format'];

export interface Probed {
  readonly port: string;
  /** How it speaks; null where no rate gave anything that can be read. */
  readonly baud: number | null;
  readonly format: Format | null;
  /** Readings, and messages that are sound though they say nothing of a collar. */
  readonly readable: number;
  /** Heard at this rate; where nothing could be read, at the rate that gave most text. */
  readonly bytes: number;
  readonly sample: string;
  /** Why the port could not be listened to, or null. */
  readonly problem: string | null;
}

export interface ProbePorts {
  readonly open: (path: string, baud: number) => Source;
  /** So long at each rate. */
  readonly listenMs: number;
}

/** The usual ones first: most receivers are set to one of them. */
export const RATES = [115_200, 9_600, 57_600, 38_400, 19_200, 230_400, 4_800, 921_600];
/** So much of what is heard is looked at. */
const MAX_BYTES = 256 * 1024;

export async function probePort(port: string, { open, listenMs }: ProbePorts, signal: AbortSignal): Promise<Probed> {
  const nothing = { port, baud: null, format: null, readable: 0, bytes: 0, sample: '', problem: null };
  let best: Probed = nothing;
  let mostText = 0;
  for (const baud of RATES) {
    if (signal.aborted) return best;
    const heard = await listen(open(port, baud), AbortSignal.any([signal, AbortSignal.timeout(listenMs)]));
    if (heard.problem !== null) return { ...nothing, problem: heard.problem };
    const { bytes } = heard;
    const read = readAs(bytes);
    const said = { bytes: bytes.length, sample: textSample(bytes) };
    if (read !== null) return { port, baud, ...read, ...said, problem: null };
    const text = bytes.filter(isText).length;
    if (text > mostText || best.bytes === 0) best = { ...nothing, ...said };
    mostText = Math.max(mostText, text);
  }
  return best;
}

async function listen(source: Source, signal: AbortSignal): Promise<{ bytes: Buffer; problem: string | null }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const input of source.inputs(signal)) {
    if (input.type === 'failed') return { bytes: Buffer.concat(chunks), problem: input.reason };
    if (input.type !== 'bytes' || length >= MAX_BYTES) continue;
    chunks.push(input.bytes);
    length += input.bytes.length;
  }
  return { bytes: Buffer.concat(chunks), problem: null };
}

/** The format that can read most of it, or null. */
export function readAs(bytes: Uint8Array): { readonly format: Format; readonly readable: number } | null {
  let best: { readonly format: Format; readonly readable: number } | null = null;
  for (const format of FORMATS) {
    const decoder = createDecoder({ format, collar: 'probed' });
    const told = [decoder.push(bytes, 0), decoder.end()];
    const readings = told.reduce((sum, { readings: some }) => sum + some.length, 0);
    const sound = told.flatMap(({ discards }) => discards).filter(({ reason }) => isSound(reason)).length;
    const readable = readings + sound;
    if (readable > (best?.readable ?? 0)) best = { format, readable };
  }
  return best;
}

/** Discarded, and yet plainly of this format. */
function isSound(reason: string): boolean {
  return reason === 'no-reading' || reason === 'no-sensor' || reason === 'no-key' || reason === 'duplicate';
}

function isText(byte: number): boolean {
  return (byte >= 0x20 && byte <= 0x7e) || byte === 0x0a || byte === 0x0d;
}
