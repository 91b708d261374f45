/** Gradient boosting of complete trees for a yes or no: small, without chance, the same input gives the same forest. */
import { askForest, type Forest, LEAVES, NODES, packForest } from '../../src/agent/detector/forest.ts';

export interface Example {
  readonly features: Float64Array;
  readonly yes: boolean;
  readonly weight: number;
}

export interface Growth {
  readonly trees: number;
  readonly rate: number;
  /** Weight that a leaf needs, of all that there is: 0 … 1. */
  readonly leastShare: number;
  /** Draws leaves towards 0. */
  readonly ridge: number;
}

/** Thresholds tried for each feature. */
const CUTS = 31;

export function growForest(examples: readonly Example[], growth: Growth): Forest {
  const width = examples[0]?.features.length ?? 0;
  const cuts = Array.from({ length: width }, (_, f) => cutsOf(examples, f));
  const codes = Array.from({ length: width }, (_, f) => {
    const of = cuts[f] ?? [];
    return Uint8Array.from(examples, ({ features }) => codeOf(of, features[f] ?? 0));
  });
  const total = examples.reduce((sum, { weight }) => sum + weight, 0);
  const yes = examples.reduce((sum, { weight, yes: is }) => sum + (is ? weight : 0), 0);
  const bias = Math.log(yes / (total - yes));
  const odds = new Float64Array(examples.length).fill(bias);
  const forest = { bias: rounded(bias), feature: [], threshold: [], leaf: [] } as {
    bias: number;
    feature: number[];
    threshold: number[];
    leaf: number[];
  };
  for (let tree = 0; tree < growth.trees; tree += 1) {
    const slopes = new Float64Array(examples.length);
    const bends = new Float64Array(examples.length);
    for (const [i, example] of examples.entries()) {
      const p = 1 / (1 + Math.exp(-(odds[i] ?? 0)));
      slopes[i] = example.weight * ((example.yes ? 1 : 0) - p);
      bends[i] = example.weight * p * (1 - p);
    }
    growTree(forest, { codes, cuts, slopes, bends, weights: examples, odds, growth, total });
  }
  return forest;
}

/** How well a forest tells examples apart: weighted mean log loss. */
export function lossOf(forest: Forest, examples: readonly Example[]): number {
  const packed = packForest(forest);
  let [sum, total] = [0, 0];
  for (const { features, yes, weight } of examples) {
    const odds = askForest(packed, features);
    sum += weight * Math.log1p(Math.exp(yes ? -odds : odds));
    total += weight;
  }
  return sum / total;
}

interface Ground {
  readonly codes: readonly Uint8Array[];
  readonly cuts: readonly (readonly number[])[];
  readonly slopes: Float64Array;
  readonly bends: Float64Array;
  readonly weights: readonly Example[];
  readonly odds: Float64Array;
  readonly growth: Growth;
  readonly total: number;
}

function growTree(forest: { feature: number[]; threshold: number[]; leaf: number[] }, ground: Ground): void {
  const { codes, cuts, odds, growth } = ground;
  const nodeOf = new Uint8Array(odds.length);
  const splits: { feature: number; cut: number }[] = [];
  for (let node = 0; node < NODES; node += 1) {
    const split = bestSplit(ground, nodeOf, node);
    splits.push(split);
    forest.feature.push(split.feature);
    // No split helps: all go left.
    forest.threshold.push(split.cut < 0 ? 1e9 : rounded(cuts[split.feature]?.[split.cut] ?? 0));
    const code = codes[split.feature];
    for (let i = 0; i < nodeOf.length; i += 1) {
      if (nodeOf[i] !== node) continue;
      nodeOf[i] = 2 * node + (split.cut >= 0 && (code?.[i] ?? 0) > split.cut ? 2 : 1);
    }
  }
  const slope = new Float64Array(LEAVES);
  const bend = new Float64Array(LEAVES);
  for (let i = 0; i < nodeOf.length; i += 1) {
    const leaf = (nodeOf[i] ?? 0) - NODES;
    slope[leaf] = (slope[leaf] ?? 0) + (ground.slopes[i] ?? 0);
    bend[leaf] = (bend[leaf] ?? 0) + (ground.bends[i] ?? 0);
  }
  const leaves = [...slope.keys()].map((i) => {
    const step = (slope[i] ?? 0) / ((bend[i] ?? 0) + growth.ridge);
    return rounded(growth.rate * step);
  });
  forest.leaf.push(...leaves);
  for (let i = 0; i < nodeOf.length; i += 1) odds[i] = (odds[i] ?? 0) + (leaves[(nodeOf[i] ?? 0) - NODES] ?? 0);
}

function bestSplit(ground: Ground, nodeOf: Uint8Array, node: number): { feature: number; cut: number } {
  const { codes, slopes, bends, weights, growth, total } = ground;
  const least = growth.leastShare * total;
  let best = { feature: 0, cut: -1 };
  let gain = 1e-9;
  const own: number[] = [];
  for (let i = 0; i < nodeOf.length; i += 1) if (nodeOf[i] === node) own.push(i);
  for (const [feature, code] of codes.entries()) {
    const slope = new Float64Array(CUTS + 1);
    const bend = new Float64Array(CUTS + 1);
    const weight = new Float64Array(CUTS + 1);
    for (const i of own) {
      const c = code[i] ?? 0;
      slope[c] = (slope[c] ?? 0) + (slopes[i] ?? 0);
      bend[c] = (bend[c] ?? 0) + (bends[i] ?? 0);
      weight[c] = (weight[c] ?? 0) + (weights[i]?.weight ?? 0);
    }
    const [slopeAll, bendAll, weightAll] = [sum(slope), sum(bend), sum(weight)];
    let [slopeLeft, bendLeft, weightLeft] = [0, 0, 0];
    for (let cut = 0; cut < CUTS; cut += 1) {
      slopeLeft += slope[cut] ?? 0;
      bendLeft += bend[cut] ?? 0;
      weightLeft += weight[cut] ?? 0;
      if (weightLeft < least || weightAll - weightLeft < least) continue;
      const { ridge } = growth;
      const here =
        slopeLeft ** 2 / (bendLeft + ridge) +
        (slopeAll - slopeLeft) ** 2 / (bendAll - bendLeft + ridge) -
        slopeAll ** 2 / (bendAll + ridge);
      if (here > gain) [best, gain] = [{ feature, cut }, here];
    }
  }
  return best;
}

/** Quantiles of a feature. */
function cutsOf(examples: readonly Example[], f: number): number[] {
  const values = Float64Array.from(examples, ({ features }) => features[f] ?? 0).sort();
  const cuts = Array.from({ length: CUTS }, (_, i) => values[Math.floor(((i + 1) * values.length) / (CUTS + 1))] ?? 0);
  return [...new Set(cuts.map(rounded))];
}

function codeOf(cuts: readonly number[], value: number): number {
  let code = 0;
  while (code < cuts.length && value > (cuts[code] ?? 0)) code += 1;
  return code;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
