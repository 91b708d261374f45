/** The house that the simulated cats live in: rooms, a receiver in each, and what a receiver hears. */
import type { Random } from './random.ts';

export interface Room {
  readonly name: string;
  /** Metres. */
  readonly x: number;
  readonly y: number;
}

const kitchen: Room = { name: 'kitchen', x: 0, y: 0 };

export const ROOMS: readonly [Room, ...Room[]] = [
  kitchen,
  { name: 'living', x: 5, y: 0 },
  { name: 'hall', x: 3, y: 4 },
  { name: 'bedroom', x: 7, y: 5 },
  { name: 'garden', x: -4, y: 6 },
];

const SAME_ROOM_DBM = -50;
/** A wall costs this much, and every metre adds to it, up to the most. */
const WALL_DB = 15;
const DB_PER_METRE = 1;
const MOST_DB = 25;
/** Shadowing: standard deviation from one packet to the next. */
const SHADOWING_DB = 3;

/** Mean signal strength of a collar in one room at a receiver in another. */
export function meanRssiDbm(collar: Room, receiver: Room): number {
  if (collar.name === receiver.name) return SAME_ROOM_DBM;
  const metres = Math.hypot(collar.x - receiver.x, collar.y - receiver.y);
  return SAME_ROOM_DBM - Math.min(MOST_DB, WALL_DB + DB_PER_METRE * metres);
}

/** One packet's signal strength, whole dBm. */
export function rssiDbm(collar: Room, receiver: Room, random: Random): number {
  const shadowed = meanRssiDbm(collar, receiver) + SHADOWING_DB * random.normal();
  return Math.max(-110, Math.min(-20, Math.round(shadowed)));
}

/** The room of that name, or undefined. */
export function roomNamed(name: string): Room | undefined {
  return ROOMS.find((room) => room.name === name);
}
