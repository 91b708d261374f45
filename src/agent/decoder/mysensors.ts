/**
 * MySensors serial protocol 2.x: `node;child;command;ack;type;payload`, one message a line. What a child is it says once, when its
 * node starts; after a restart of ours the configuration tells it (`sensors`, by `12/7`), or the node is asked to say it again.
 * A node is a collar, by its number, unless its child is a motion sensor or a door: then it is a sensor of a room.
 */
import { createBoundedMap, MAX_COLLARS } from './bounded-map.ts';
import { createLineClock, createLineDecoder } from './line-decoder.ts';
import type { Decoder, DiscardReason, NodeRequest, Reading } from './reading.ts';
import { createSensors, type Said, type SensorOptions, type SensorsOptions } from './sensor.ts';
import { checkLevel, checkPercent } from './value.ts';

const LINE = /^(\d{1,3});(\d{1,3});([0-4]);([01]);(\d{1,3});(.*)$/;
const MAX_ID = 255;

const PRESENTATION = 0;
const SET = 1;
const INTERNAL = 3;

const S_DOOR = 0;
const S_MOTION = 1;
const S_VIBRATION = 34;

const V_TRIPPED = 16;
const V_LEVEL = 37;

const I_BATTERY_LEVEL = 0;
const I_TIME = 1;
const I_ID_REQUEST = 3;
const I_CONFIG = 6;

interface Message {
  readonly node: number;
  readonly child: number;
  readonly command: number;
  readonly isEcho: boolean;
  readonly type: number;
  readonly payload: string;
}

type Kind = 'motion' | 'shake' | 'other';

export function createMysensorsDecoder(options: SensorsOptions): Decoder {
  const sensors = createSensors(options);
  const timeOf = createLineClock();
  /** By `node/child`, as presented. */
  const kinds = createBoundedMap<string, Kind>(MAX_COLLARS);
  const nodes = new Set<number>();
  let requests: NodeRequest[] = [];

  const tell = (said: Said, from: Message, known: SensorOptions | undefined, atMs: number | null): Reading => {
    const id = said.motion === undefined ? String(from.node) : `${from.node}/${from.child}`;
    return sensors.reading(said, id, timeOf(id, atMs, undefined), known);
  };
  const readSet = (message: Message, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const { node, child, type, payload } = message;
    if (type !== V_TRIPPED && type !== V_LEVEL) return 'no-reading';
    const known = sensors.optionsOf(`${node}/${child}`, String(node));
    const kind = known?.kind ?? kinds.get(`${node}/${child}`);
    if (kind === undefined && type === V_TRIPPED) {
      requests.push({ type: 'presentation', node, child });
      return 'no-sensor';
    }
    const said = kind === undefined ? null : saidBySet(kind, type, payload);
    if (said === null || said === 'bad-value') return said ?? 'no-reading';
    readings.push(tell(said, message, known, atMs));
    return null;
  };
  const readInternal = (message: Message, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const { node, child, type, payload } = message;
    if (type === I_BATTERY_LEVEL) {
      const batteryPercent = checkPercent(numberOf(payload));
      if (typeof batteryPercent !== 'number') return 'bad-value';
      readings.push(tell({ batteryPercent }, message, sensors.optionsOf(String(node)), atMs));
      return null;
    }
    if (type === I_ID_REQUEST) requests.push({ type: 'id', node, child, heard: [...nodes] });
    if (type === I_TIME) requests.push({ type: 'time', node, child });
    if (type === I_CONFIG) requests.push({ type: 'config', node, child });
    return 'no-reading';
  };
  const readLine = (line: string, atMs: number | null, readings: Reading[]): DiscardReason | null => {
    const message = parse(line);
    if (message === null) return 'bad-format';
    const { node, child, command, isEcho, type } = message;
    nodes.add(node);
    if (isEcho) return 'no-reading';
    if (command === SET) return readSet(message, atMs, readings);
    if (command === INTERNAL) return readInternal(message, atMs, readings);
    if (command === PRESENTATION) kinds.set(`${node}/${child}`, kindOf(type));
    return 'no-reading';
  };
  const takeRequests = () => {
    const taken = requests;
    requests = [];
    return taken;
  };
  return createLineDecoder(readLine, () => 0, takeRequests);
}

function parse(line: string): Message | null {
  const [, node, child, command, ack, type, payload = ''] = LINE.exec(line) ?? [];
  if (node === undefined) return null;
  const message = { node: Number(node), child: Number(child), command: Number(command), type: Number(type), payload };
  if (message.node > MAX_ID || message.child > MAX_ID || message.type > MAX_ID) return null;
  return { ...message, isEcho: ack === '1' };
}

function kindOf(presented: number): Kind {
  if (presented === S_MOTION || presented === S_DOOR) return 'motion';
  return presented === S_VIBRATION ? 'shake' : 'other';
}

/** Null: nothing of ours. */
function saidBySet(kind: Kind, type: number, payload: string): Said | null | 'bad-value' {
  if (kind === 'other' || (kind === 'motion' && type !== V_TRIPPED)) return null;
  const level = checkLevel(numberOf(payload));
  if (typeof level !== 'number' || (type === V_TRIPPED && level !== 0 && level !== 1)) return 'bad-value';
  return kind === 'motion' ? { motion: level === 1 } : { shake: level };
}

/** NaN where it is none, so that every check refuses it. */
function numberOf(payload: string): number {
  return /^\d+(?:\.\d+)?$/.test(payload) ? Number(payload) : Number.NaN;
}
