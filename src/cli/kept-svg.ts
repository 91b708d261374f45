/** The drawings of kept readings, as SVG within a page. No scripts, nothing from elsewhere. */
import type { ShakeBorders } from '../agent/detector/shake-view.ts';

export interface Point {
  readonly atMs: number;
  readonly level: number;
  readonly odds: number | null;
}

export interface Panel {
  readonly what: 'added' | 'removed' | 'moved';
  readonly collar: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly points: Point[];
}

export interface Burst {
  readonly startMs: number;
  readonly endMs: number | null;
}

export interface Bursts {
  readonly before: readonly Burst[];
  readonly after: readonly Burst[];
}

interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

const OVERVIEW = { width: 1_000, height: 120, plot: 80 } as const;
const PANEL = { width: 340, height: 190, level: 100, odds: 40 } as const;
/** The top of the scale, where the levels do not go beyond it. */
const LEAST_TOP_G = 0.5;
const ODDS_RANGE = 6;

export const PAGE_STYLE = `
:root{color-scheme:light dark;--ink:#222;--soft:#888;--line:#ccc;--paper:#fff;--now:#2563c9;--then:#8a8a8a;--added:#1a7f37;--removed:#c0392b;--moved:#a86500}
@media(prefers-color-scheme:dark){:root{--ink:#ddd;--soft:#999;--line:#444;--paper:#161616;--now:#7aa9f7;--then:#8f8f8f;--added:#57c96f;--removed:#f0776a;--moved:#e0a84a}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1060px;margin:1.5rem auto;padding:0 1rem}
svg{display:block;width:100%;height:auto;overflow:visible}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:1rem}figure{margin:0 0 1rem;break-inside:avoid}
figcaption{font-size:13px}.legend{color:var(--soft);font-size:13px}.axis{stroke:var(--line)}.border{stroke:var(--soft);stroke-dasharray:3 3}
.level{fill:none;stroke:var(--ink);stroke-width:1.2}.area{fill:var(--soft);opacity:.6}.then{fill:var(--then)}.now{fill:var(--now)}
.added{color:var(--added)}.removed{color:var(--removed)}.moved{color:var(--moved)}
td{padding:.1rem .8rem .1rem 0;font-variant-numeric:tabular-nums}`;

/** Safe within text and attributes of a page. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** The strongest level of each bucket over the whole range. */
export function overviewOf(collar: string, levels: Float64Array, range: Range, bursts: Bursts): string {
  const { width, height, plot } = OVERVIEW;
  const top = Math.max(LEAST_TOP_G, ...levels);
  let area = `M0 ${plot}`;
  levels.forEach((level, i) => {
    area += `L${round((width * i) / levels.length)} ${round(plot - (plot * level) / top)}`;
  });
  const x = (ms: number) => round((width * (ms - range.fromMs)) / (range.toMs - range.fromMs));
  const ticks = (ones: readonly Burst[], y: number, name: string) =>
    ones.map(({ startMs }) => `<rect class="${name}" x="${x(startMs)}" y="${y}" width="2" height="9"/>`).join('');
  return `<figure><figcaption>${escaped(collar)}: ${bursts.before.length} meows then, ${bursts.after.length} now</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="level of ${escaped(collar)} over time">
<path class="area" d="${area}L${width} ${plot}Z"/><line class="axis" x1="0" x2="${width}" y1="${plot}" y2="${plot}"/>
<text x="0" y="10">${top.toFixed(1)} g</text>${ticks(bursts.before, plot + 4, 'then')}${ticks(bursts.after, plot + 15, 'now')}
<text x="0" y="${height}">${clock(range.fromMs)}</text><text x="${width}" y="${height}" text-anchor="end">${clock(range.toMs)}</text></svg></figure>`;
}

/** A change from near: level, certainty, and both verdicts. */
export function panelOf(panel: Panel, borders: ShakeBorders, bursts: Bursts): string {
  const { what, collar, fromMs, toMs, points } = panel;
  const { width, height, level, odds } = PANEL;
  const isOwnLevel = points.every((point) => point.odds === null);
  const border = isOwnLevel ? borders.onLevel : borders.holdG;
  const top = points.reduce((most, point) => Math.max(most, point.level), Math.max(LEAST_TOP_G, border * 1.2));
  const x = (ms: number) => round((width * (Math.min(Math.max(ms, fromMs), toMs) - fromMs)) / (toMs - fromMs));
  const yLevel = (value: number) => round(level - (level * value) / top);
  const yOdds = (value: number) =>
    round(level + 6 + odds / 2 - (Math.max(-ODDS_RANGE, Math.min(ODDS_RANGE, value)) * odds) / 2 / ODDS_RANGE);
  const bars = (ones: readonly Burst[], y: number, name: string) =>
    ones
      .filter(({ startMs, endMs }) => startMs <= toMs && (endMs ?? startMs) >= fromMs)
      .map(({ startMs, endMs }) => {
        const wide = Math.max(2, x(endMs ?? startMs) - x(startMs));
        return `<rect class="${name}" x="${x(startMs)}" y="${y}" width="${round(wide)}" height="9"/>`;
      })
      .join('');
  const dashed = (y: number) => `<line class="border" x1="0" x2="${width}" y1="${y}" y2="${y}"/>`;
  const sure = points.filter((point) => point.odds !== null);
  return `<figure><figcaption><b class="${what}">${what}</b> ${escaped(collar)}, ${clock(fromMs)}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${what}: level of ${escaped(collar)} around ${clock(fromMs)}">
<line class="axis" x1="0" x2="${width}" y1="${level}" y2="${level}"/><text x="0" y="10">${top.toFixed(1)} ${isOwnLevel ? '' : 'g'}</text>
${dashed(yLevel(border))}${line(points, (point) => `${x(point.atMs)} ${yLevel(point.level)}`)}
${isOwnLevel ? '' : dashed(yOdds(borders.onOdds))}${line(sure, (point) => `${x(point.atMs)} ${yOdds(point.odds ?? 0)}`)}
${bars(bursts.before, level + odds + 12, 'then')}${bars(bursts.after, level + odds + 24, 'now')}
<text x="0" y="${height}">0 s</text><text x="${width}" y="${height}" text-anchor="end">${((toMs - fromMs) / 1_000).toFixed(1)} s</text></svg></figure>`;
}

function line(points: readonly Point[], at: (point: Point) => string): string {
  return points.length === 0 ? '' : `<path class="level" d="M${points.map(at).join('L')}"/>`;
}

function clock(ms: number): string {
  return new Date(Math.round(ms)).toISOString().slice(0, 19).replace('T', ' ');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
