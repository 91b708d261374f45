/** Collars in a house, slice by slice: a long run is flat in memory, and a live one can be paced. */
import { createCollar, type SimulatedCollar, type Truth } from './collar.ts';
import { ROOMS, type Room, rssiDbm } from './house.ts';
import type { Sample } from './motion.ts';
import { createRandom, type Random } from './random.ts';

export const MAX_SIMULATED_COLLARS = 1000;
/** The rate field of a frame is one byte. */
export const MAX_RATE_HZ = 250;

export interface SimulationOptions {
  readonly collars: number;
  readonly rateHz: number;
  readonly seed: number;
  /** Share of packets that are lost on the air. */
  readonly dropout?: number | undefined;
  /** Where the one receiver stands that hears the packets. */
  readonly receiver?: Room | undefined;
}

/** What one collar sends at once: its newest samples. */
export interface Packet {
  readonly collar: string;
  readonly id: number;
  /** Counts the collar's packets, lost ones too; wraps at 2^16. */
  readonly counter: number;
  readonly firstMs: number;
  readonly rateHz: number;
  readonly samples: readonly Sample[];
  readonly rssiDbm: number;
  readonly batteryPercent: number;
}

/** One receiver has heard a collar. */
export interface Sighting {
  readonly collar: string;
  readonly tMs: number;
  readonly place: string;
  readonly rssiDbm: number;
}

export interface Slice {
  /** Time of the slice's end: when a receiver would write it. */
  readonly endMs: number;
  readonly packets: readonly Packet[];
  readonly sightings: readonly Sighting[];
  readonly truth: readonly Truth[];
}

export interface Simulation {
  /** Length of every slice. */
  readonly sliceMs: number;
  step(): Slice;
  /** What is still open is true until now. */
  finish(): readonly Truth[];
}

const FIRST_ID = 0xc0ffee01;
const DROPOUT = 0.005;
const PACKETS_PER_SECOND = 10;
/** Receivers report a collar about twice a second, and miss some of it. */
const SIGHTING_MS = 500;
const HEARD = 0.9;

export function createSimulation(options: SimulationOptions): Simulation {
  const { rateHz, seed, dropout = DROPOUT, receiver = ROOMS[0] } = options;
  const perPacket = Math.max(1, Math.round(rateHz / PACKETS_PER_SECOND));
  const sliceMs = (perPacket * 1000) / rateHz;
  const everySlices = Math.max(1, Math.round(SIGHTING_MS / sliceMs));
  const collars = Array.from({ length: options.collars }, (_, i) => {
    const id = FIRST_ID + i;
    const body = createCollar(id.toString(16).toUpperCase(), createRandom(seed, 2 * i + 1));
    // The air has its own dice: another dropout does not change what the cat does.
    return { id, body, air: createRandom(seed, 2 * i + 2) };
  });
  let slice = 0;

  const samplesOf = (body: SimulatedCollar, truth: Truth[]) =>
    Array.from({ length: perPacket }, (_, i) => body.sample(((slice * perPacket + i) * 1000) / rateHz, truth));

  return {
    sliceMs,
    step() {
      const packets: Packet[] = [];
      const sightings: Sighting[] = [];
      const truth: Truth[] = [];
      const firstMs = slice * sliceMs;
      const lastMs = ((slice * perPacket + perPacket - 1) * 1000) / rateHz;
      for (const [i, { id, body, air }] of collars.entries()) {
        const samples = samplesOf(body, truth);
        const packet = { collar: body.id, id, counter: slice & 0xffff, firstMs, rateHz, samples };
        const heard = { rssiDbm: rssiDbm(body.room, receiver, air), batteryPercent: body.batteryPercent(firstMs) };
        if (air.next() >= dropout) packets.push({ ...packet, ...heard });
        if ((slice + i) % everySlices === 0) sightings.push(...sight(body, lastMs, air));
      }
      slice++;
      return { endMs: slice * sliceMs, packets, sightings, truth };
    },
    finish() {
      const truth: Truth[] = [];
      for (const { body } of collars) body.finish(truth);
      return truth;
    },
  };
}

function sight(body: SimulatedCollar, tMs: number, air: Random): Sighting[] {
  return ROOMS.filter(() => air.next() < HEARD).map((room) => ({
    collar: body.id,
    tMs,
    place: room.name,
    rssiDbm: rssiDbm(body.room, room, air),
  }));
}
