import { expect, test } from 'vitest';
import { askForest, type Forest, LEAVES, NODES, packForest } from '../../../src/agent/detector/forest.ts';
import { shakeForest } from '../../../src/agent/detector/shake-forest.ts';
import { createRandom } from '../../../src/simulator/random.ts';

/** Tree by tree, question by question. */
function ask({ bias, feature, threshold, leaf }: Forest, features: Float64Array): number {
  let odds = bias;
  for (let tree = 0; tree < leaf.length / LEAVES; tree += 1) {
    let node = 0;
    while (node < NODES) {
      const at = tree * NODES + node;
      const right = (features[feature[at] ?? 0] ?? 0) > (threshold[at] ?? 0);
      node = 2 * node + (right ? 2 : 1);
    }
    odds += leaf[tree * LEAVES + node - NODES] ?? 0;
  }
  return odds;
}

test('a forest says what its trees say, to the last bit, also at a threshold and of what is no number', () => {
  const packed = packForest(shakeForest);
  const random = createRandom(1, 3);
  for (let i = 0; i < 2_000; i += 1) {
    const node = random.whole(0, shakeForest.feature.length - 1);
    const features = Float64Array.from({ length: 16 }, () => random.pick([random.normal(), random.between(0, 5)]));
    features[shakeForest.feature[node] ?? 0] = shakeForest.threshold[node] ?? 0;
    if (i % 10 === 0) features[i % 16] = Number.NaN;
    expect(askForest(packed, features)).toBe(ask(shakeForest, features));
  }
});
