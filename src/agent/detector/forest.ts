/** A small forest of decision trees: each adds its leaf to the log-odds. Trees are complete, all of the same depth. */

export interface Forest {
  /** Log-odds before any tree has spoken. */
  readonly bias: number;
  readonly depth: number;
  /** By tree, its nodes from the root, level by level: which feature, and the threshold above which the right branch is taken. */
  readonly feature: readonly number[];
  readonly threshold: readonly number[];
  /** By tree, its leaves from left to right. */
  readonly leaf: readonly number[];
}

/** A forest as it is asked: the same numbers, where the processor likes them. Never changed. */
export interface PackedForest {
  readonly bias: number;
  readonly depth: number;
  readonly trees: number;
  readonly feature: Uint8Array;
  readonly threshold: Float64Array;
  readonly leaf: Float64Array;
}

export function packForest({ bias, depth, feature, threshold, leaf }: Forest): PackedForest {
  const trees = leaf.length / 2 ** depth;
  return {
    bias,
    depth,
    trees,
    feature: Uint8Array.from(feature),
    threshold: Float64Array.from(threshold),
    leaf: Float64Array.from(leaf),
  };
}

/** Log-odds of what the forest was taught. */
export function askForest(forest: PackedForest, features: Float64Array): number {
  const { depth, trees, feature, threshold, leaf } = forest;
  const nodes = 2 ** depth - 1;
  let odds = forest.bias;
  for (let tree = 0; tree < trees; tree += 1) {
    const root = tree * nodes;
    let node = 0;
    while (node < nodes) {
      const right = (features[feature[root + node] ?? 0] ?? 0) > (threshold[root + node] ?? 0);
      node = 2 * node + (right ? 2 : 1);
    }
    odds += leaf[tree * (nodes + 1) + node - nodes] ?? 0;
  }
  return odds;
}
