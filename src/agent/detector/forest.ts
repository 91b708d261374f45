/** A small forest of decision trees: each asks three questions, and adds its leaf to the log-odds. */

/** Of every tree. Fixed, so that a walk needs no loop. */
export const DEPTH = 3;
export const NODES = (1 << DEPTH) - 1;
export const LEAVES = 1 << DEPTH;

export interface Forest {
  /** Log-odds before any tree has spoken. */
  readonly bias: number;
  /** By tree, its nodes from the root, level by level: which feature, and the threshold above which the right branch is taken. */
  readonly feature: readonly number[];
  readonly threshold: readonly number[];
  /** By tree, its leaves from left to right. */
  readonly leaf: readonly number[];
}

/** A forest as it is asked: the same numbers, where the processor likes them. Never changed. */
export interface PackedForest {
  readonly bias: number;
  readonly trees: number;
  readonly feature: Uint8Array;
  readonly threshold: Float64Array;
  readonly leaf: Float64Array;
}

export function packForest({ bias, feature, threshold, leaf }: Forest): PackedForest {
  return {
    bias,
    trees: leaf.length / LEAVES,
    feature: Uint8Array.from(feature),
    threshold: Float64Array.from(threshold),
    leaf: Float64Array.from(leaf),
  };
}

/** Log-odds of what the forest was taught. */
export function askForest(forest: PackedForest, features: Float64Array): number {
  const { trees, feature, threshold, leaf } = forest;
  let odds = forest.bias;
  for (let tree = 0; tree < trees; tree += 1) {
    const root = tree * NODES;
    // Right is 1: three answers in a row number the leaf. A number and no branch: nobody could foresee which.
    const first = Number((features[feature[root] ?? 0] ?? 0) > (threshold[root] ?? 0));
    const low = root + 1 + first;
    const second = Number((features[feature[low] ?? 0] ?? 0) > (threshold[low] ?? 0));
    const lowest = root + 3 + 2 * first + second;
    const third = Number((features[feature[lowest] ?? 0] ?? 0) > (threshold[lowest] ?? 0));
    odds += leaf[tree * LEAVES + 4 * first + 2 * second + third] ?? 0;
  }
  return odds;
}
