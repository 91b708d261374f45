/** Writes a simulation out: as fast as the writer takes it, or in real time. */
import { delay } from '../lib/wait.ts';
import type { Truth } from './collar.ts';
import { createEncoder, type SimulatedFormat } from './encode.ts';
import type { Noise } from './noise.ts';
import type { Simulation, Slice } from './simulation.ts';

export interface SimulationParts {
  readonly simulation: Simulation;
  readonly format: SimulatedFormat;
  /** Resolves when the bytes are taken: this is the back-pressure. False: nobody reads any more, stop. */
  readonly write: (bytes: Uint8Array) => Promise<boolean>;
  /** Told what truly happened. A rejection ends the run. */
  readonly tell?: (truth: readonly Truth[]) => Promise<void>;
  readonly noise?: Noise;
}

export interface SimulationPace {
  /** Simulated time; Infinity until the signal aborts. */
  readonly seconds: number;
  readonly realtime: boolean;
}

export interface SimulationSummary {
  readonly simulated: true;
  readonly seconds: number;
  readonly frames: number;
  readonly readings: number;
  readonly bytes: number;
  readonly disturbed: number;
  readonly meows: number;
  /** Changes of room; where a cat is at the start is none. */
  readonly moves: number;
}

/** So much is written at once when not in real time. */
const FAST_SLICES = 50;

/** Resolves with the summary when the time is over, the signal aborts, or nobody reads any more. */
export async function runSimulation(
  parts: SimulationParts,
  pace: SimulationPace,
  signal: AbortSignal,
): Promise<SimulationSummary> {
  const { simulation, format, write, noise } = parts;
  const encoder = createEncoder(format);
  const count = { slices: 0, frames: 0, readings: 0, bytes: 0, meows: 0, moves: 0 };
  const total = Math.ceil((pace.seconds * 1000) / simulation.sliceMs);
  const startMs = performance.now();

  const tell = async (truth: readonly Truth[]) => {
    for (const entry of truth) {
      if (entry.type === 'meow') count.meows++;
      else if (entry.from !== null) count.moves++;
    }
    if (truth.length > 0) await parts.tell?.(truth);
  };
  const put = async (chunks: readonly Uint8Array[]): Promise<boolean> => {
    const bytes = Buffer.concat(chunks);
    count.bytes += bytes.length;
    return bytes.length === 0 || (await write(bytes));
  };
  const wait = async (endMs: number) => {
    const waitMs = startMs + endMs - performance.now();
    if (pace.realtime && waitMs > 0) await delay(waitMs, signal);
  };

  let open = await put([encoder.head]);
  while (open && !signal.aborted && count.slices < total) {
    const chunks: Uint8Array[] = [];
    const truth: Truth[] = [];
    const slices = pace.realtime ? 1 : Math.min(FAST_SLICES, total - count.slices);
    for (let i = 0; i < slices; i++) {
      const slice = simulation.step();
      const encoded = encoder.encode(slice);
      for (const chunk of encoded) chunks.push(noise === undefined ? chunk : noise.disturb(chunk));
      for (const entry of slice.truth) truth.push(entry);
      count.frames += slice.packets.length;
      count.readings += readingsIn(slice, format);
      if (pace.realtime) await wait(slice.endMs);
    }
    count.slices += slices;
    open = await put(chunks);
    await tell(truth);
    // A writer that never waits would keep signals from being heard.
    if (!pace.realtime) await delay(0, signal);
  }
  await tell(simulation.finish());
  const { slices, ...counts } = count;
  const seconds = (slices * simulation.sliceMs) / 1000;
  return { simulated: true, seconds, ...counts, disturbed: noise?.disturbed ?? 0 };
}

/** What an undisturbed decoder finds in the slice. */
function readingsIn(slice: Slice, format: SimulatedFormat): number {
  const samples = slice.packets.reduce((sum, packet) => sum + packet.samples.length, 0);
  return format === 'json' ? samples + slice.sightings.length : samples;
}
