/** What made an event: the version of the detector, and a short hash of the settings that it decided by. */
import { createHash, type Hash } from 'node:crypto';
import type { Detection } from './detector/detection.ts';
import { shippedForest } from './detector/shaking.ts';
import { DETECTOR_VERSIONS, type DetectorKind } from './detector/version.ts';
import type { WatchSettings } from './detector/watch.ts';

/** `<version>/<hash>`, such as `1/5f3a9c2e`, by detector. */
export type DetectorNames = { readonly [K in DetectorKind]: string };

const HASH_CHARACTERS = 8;

const KINDS: { readonly [T in Detection['type']]: DetectorKind } = {
  'meow.started': 'shake',
  'meow.ended': 'shake',
  'cat.moved': 'place',
  'collar.sighted': 'place',
  'collar.silent': 'silence',
  'collar.heard': 'silence',
  'battery.low': 'battery',
};

/** The same settings give the same names on any machine, in whatever order they are written. */
export function nameDetectors({ shake, place, silence, battery }: WatchSettings): DetectorNames {
  const { forest = shippedForest, ...ofShake } = shake;
  return {
    shake: nameOf('shake', { ...ofShake, forest }),
    place: nameOf('place', place),
    silence: nameOf('silence', silence),
    battery: nameOf('battery', battery),
  };
}

/** The detector that decides detections of this type. */
export function kindOf(type: Detection['type']): DetectorKind {
  return KINDS[type];
}

function nameOf(kind: DetectorKind, settings: object): string {
  const hash = createHash('sha256');
  addValue(hash, settings);
  return `${DETECTOR_VERSIONS[kind]}/${hash.digest('hex').slice(0, HASH_CHARACTERS)}`;
}

/** Values of all kinds that settings have, each framed so that no two ways of nesting look alike. Absent is undefined. */
function addValue(hash: Hash, value: unknown): void {
  if (value instanceof Map) addList(hash, '<', [...value], '>');
  else if (ArrayBuffer.isView(value)) addList(hash, '[', [...(value as Float64Array)], ']');
  else if (Array.isArray(value)) addList(hash, '[', value, ']');
  else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    addList(hash, '{', entries.sort(([a], [b]) => (a < b ? -1 : 1)).flat(), '}');
  } else hash.update(`${typeof value === 'string' ? JSON.stringify(value) : String(value)},`);
}

function addList(hash: Hash, open: string, values: readonly unknown[], close: string): void {
  hash.update(open);
  for (const value of values) addValue(hash, value);
  hash.update(close);
}
