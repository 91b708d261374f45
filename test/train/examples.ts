/** Looks at recordings, as the detector has them, each with the truth: is this a shake? And movements of cats that are made up. */
import { createWorkspace, describeMotion } from '../../src/agent/detector/motion-features.ts';
import { addSample, createMotionWindow } from '../../src/agent/detector/motion-window.ts';
import { LOOK_BINS, STILL_G } from '../../src/agent/detector/shaking.ts';
import { createRandom } from '../../src/simulator/random.ts';
import { FOLDS, type Recording, type Row } from './recordings.ts';

export interface Look {
  readonly features: Float64Array;
  readonly yes: boolean;
  readonly set: string;
}

/** From so long after it began, a shake is told apart from the first half of a gesture; a short one sooner. */
const TOLD_AFTER_S = 0.35;
const TOLD_AFTER_SHORT_S = 0.2;
const SHORT_S = 0.7;
/** Looks near a shake, of which the window holds some, teach neither. */
const UNSURE_BEFORE_S = 0.4;
const UNSURE_AFTER_S = 0.9;

export function looksAt({ set, shakes }: Recording, rows: readonly Row[]): Look[] {
  const window = createMotionWindow();
  const work = createWorkspace();
  const looks: Look[] = [];
  let last = Number.NaN;
  for (const [t, x, y, z] of rows) {
    if (!addSample(window, t, x, y, z)) continue;
    const look = Math.floor(window.newestBin / LOOK_BINS);
    if (look === last) continue;
    last = look;
    if (window.levelG < STILL_G) continue;
    const yes = truthAt(shakes, t / 1_000);
    if (yes === null || !describeMotion(window, 1, work)) continue;
    looks.push({ features: work.features.slice(), yes, set });
  }
  return looks;
}

function truthAt(shakes: Recording['shakes'], s: number): boolean | null {
  for (const [from, to] of shakes) {
    const after = to - from < SHORT_S ? TOLD_AFTER_SHORT_S : TOLD_AFTER_S;
    if (s >= from + after && s <= to + 0.05) return true;
    if (s >= from - UNSURE_BEFORE_S && s <= to + UNSURE_AFTER_S) return null;
  }
  return false;
}

/**
 * What no recording holds: shakes of a cat at 6 to 10 Hz (Dickerson 2012 by mass), and what cats do besides, as regular as a
 * model is. Any posture, 25 to 100 samples a second.
 */
export function madeUp(count: number): Recording[] {
  return Array.from({ length: count }, (_, i) => {
    const random = createRandom(i, 7);
    const rate = random.pick([25, 50, 50, 100]);
    const kind = random.pick(['shake', 'shake', 'shake', 'gait', 'gait', 'groom', 'roll', 'tap']);
    const [hertz, peakG] = styleOf(kind, random);
    const [fromS, toS] = [1.5, 1.5 + (kind === 'shake' ? random.between(0.4, 1.6) : 4)];
    const axis = direction(random);
    const gravity = kind === 'gait' && random.next() < 0.5 ? near(axis, random) : direction(random);
    const [across, roundness] = [direction(random), random.between(0, 0.5)];
    const [restG, noiseG, phase] = [random.between(0.95, 1.1), random.between(0.005, 0.05), 7 * random.next()];
    const rows: Row[] = [];
    for (let k = 0; (k * 1_000) / rate < 7_000; k += 1) {
      const s = k / rate;
      const moving = s >= fromS && s <= toS;
      const angle = 2 * Math.PI * hertz * (s - fromS) + phase;
      const wave = kind === 'tap' ? (Math.abs(s - 3) < 0.6 / rate ? 1 : 0) : Math.sin(angle);
      const along = moving ? peakG * wave : 0;
      // A shake grows and fades, and rolls about the neck a little.
      const part = kind === 'shake' ? Math.min(1, (5 * Math.min(s - fromS, toS - s)) / (toS - fromS)) : 1;
      const aside = moving && kind === 'shake' ? roundness * peakG * Math.cos(angle) : 0;
      const [x = 0, y = 0, z = 0] = [0, 1, 2].map(
        (d) =>
          restG * (gravity[d] ?? 0) +
          part * (along * (axis[d] ?? 0) + aside * (across[d] ?? 0)) +
          noiseG * random.normal(),
      );
      rows.push([s * 1_000, x, y, z]);
    }
    const shakes: [number, number][] = kind === 'shake' ? [[fromS, toS]] : [];
    return { id: `made-up-${kind}-${i}`, set: 'made up', fold: i % FOLDS, seconds: 7, shakes, rows };
  });
}

function styleOf(kind: string, random: ReturnType<typeof createRandom>): [hertz: number, peakG: number] {
  switch (kind) {
    case 'shake':
      return [random.between(5, 10), random.between(1, 5)];
    case 'gait':
      return [random.between(0.8, 3.2), random.between(0.2, 1.5)];
    case 'groom':
      return [random.between(2, 5), random.between(0.1, 0.5)];
    case 'roll':
      return [random.between(0.2, 1), random.between(0.3, 1.2)];
    default:
      return [1, random.between(2, 10)];
  }
}

/** Up and down: gait bobs. */
function near(axis: readonly number[], random: ReturnType<typeof createRandom>): number[] {
  const v = axis.map((one) => one + 0.25 * random.normal());
  const length = Math.hypot(...v);
  return v.map((one) => one / length);
}

function direction(random: ReturnType<typeof createRandom>): number[] {
  const v = [random.normal(), random.normal(), random.normal()];
  const length = Math.hypot(...v);
  return v.map((one) => one / length);
}
