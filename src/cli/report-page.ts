/** A report as one HTML file for people: no scripts, nothing loaded, light, and printable on A4. */
import { type CatReport, QUIET_MS } from '../central/models/report.ts';
import type { Picture } from '../central/pictures.ts';
import type { Report } from '../central/report.ts';
import { dayChart, hourChart } from './report-charts.ts';
import { dateLabel, html, lengthLabel, momentLabel } from './report-words.ts';

const NIGHT = { from: 22, to: 6 };
const CSS = `
@page{size:A4;margin:14mm 14mm 16mm}
*{box-sizing:border-box}
html{color-scheme:light}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#26211d;background:#f7f4f0;margin:0}
main{background:#fff;max-width:820px;margin:24px auto;padding:36px 44px;border-radius:12px;box-shadow:0 1px 3px rgb(60 40 20/10%)}
header{border-bottom:2px solid #c9573a;padding-bottom:14px;margin-bottom:20px}
h1{font-size:28px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:17px;margin:28px 0 8px;break-after:avoid}
p{margin:0 0 8px}.muted{color:#6c635b}.small{font-size:13px}
dl.sums{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin:0}
dl.sums div{background:#faf7f4;border:1px solid #e8e1d9;border-radius:10px;padding:10px 12px}
dt{font-size:12px;color:#6c635b}dd{margin:0}dd.value{font-size:22px;font-weight:650;line-height:1.3}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:600;color:#6c635b;font-size:12px;border-bottom:1px solid #cfc4b8;padding:4px 8px 4px 0}
td{border-bottom:1px solid #efe9e2;padding:5px 8px 5px 0;vertical-align:top;overflow-wrap:anywhere}
tr{break-inside:avoid}td.number,th.number{text-align:right;padding-right:16px;white-space:nowrap}
td.bar{width:38%}td.bar i{display:block;height:10px;border-radius:3px;background:#d98f6f;min-width:2px}
svg{display:block;width:100%;height:auto}figure{margin:0;break-inside:avoid}figcaption{font-size:13px;color:#6c635b;margin-top:4px}
.key{display:inline-block;width:22px;height:10px;border:1px solid #a89c90;background:repeating-linear-gradient(45deg,#f2eee9 0 3px,#a89c90 3px 4px)}
.known{background:#fdf6e6;border:1px solid #ecd9a8;border-radius:10px;padding:12px 16px}
.known ul{margin:4px 0 8px;padding-left:20px}.known h3{font-size:14px;margin:10px 0 2px}.known h3:first-child{margin-top:0}
.mark{font-size:12px;color:#7a4f00;background:#fbefd5;border-radius:4px;padding:0 5px;white-space:nowrap}
footer{border-top:1px solid #e8e1d9;margin-top:28px;padding-top:10px;font-size:12px;color:#6c635b}
img.cat{float:right;width:84px;height:84px;object-fit:cover;border-radius:50%;margin-left:16px}
@media print{body{background:#fff;font-size:12.5px}main{margin:0;padding:0;max-width:none;box-shadow:none;border-radius:0}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
@media(max-width:640px){main{padding:20px 16px;margin:0;border-radius:0}dl.sums{grid-template-columns:repeat(2,1fr)}}`;

export function reportPage(report: Report, version: string, picture: Picture | null = null): string {
  const { cat, tz, fromMs, toMs, madeMs, usual, days } = report;
  const [first, last] = [dateLabel(fromMs, tz), dateLabel(toMs - 1, tz)];
  const span = first === last ? first : `${first} to ${last}`;
  const collar = cat.collar === null ? '' : ` · collar ${html(cat.collar)}`;
  const line =
    usual === null
      ? ''
      : ` The dashed line is the mean of the ${usual.days} days before, ${usual.meowsADay.toFixed(1)} a day.`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="referrer" content="no-referrer">
<title>${html(cat.name)}: shaking and places, ${span}</title>
<style>${CSS}
</style>
</head>
<body>
<main>
<header>
${pictureOf(picture)}<h1>${html(cat.name)}</h1>
<p>Shaking and places, <strong>${span}</strong></p>
<p class="muted small">Times of ${html(tz)}${collar} · made ${momentLabel(madeMs, tz)}</p>
</header>
${sums(report)}
<h2>Shakes a day</h2>
<figure>${dayChart(days, usual?.meowsADay ?? null, tz)}
<figcaption>How often a shake of head or body was detected.${line} <span class="key"></span> the share of the day in which the collar was not heard.</figcaption></figure>
<h2>Shakes by hour of the day</h2>
<figure>${hourChart(days, tz)}
<figcaption>Empty: heard, and no shake. <span class="key"></span> the collar was not heard for most of that hour.</figcaption></figure>
${burstsOf(report)}
${placesOf(report)}
${alertsOf(report)}
${correctionsOf(report)}
${gapsOf(report)}
<footer>Made by collard ${html(version)} from the events of a sensor on the collar. They tell that and how the collar was shaken, not why: this is no diagnosis.</footer>
</main>
</body>
</html>
`;
}

/** In the file itself, so that it is one. */
function pictureOf(picture: Picture | null): string {
  if (picture === null) return '';
  return `<img class="cat" alt="" src="data:${picture.type};base64,${picture.bytes.toString('base64')}">\n`;
}

function sums({ total, usual, days, bursts, fromMs, toMs }: Report): string {
  const lived = (toMs - fromMs) / 86_400_000;
  const night = days
    .flatMap(({ hours }) => hours.map((count, hour) => (hour >= NIGHT.from || hour < NIGHT.to ? (count ?? 0) : 0)))
    .reduce((sum, count) => sum + count, 0);
  const share = total.meows === 0 ? '–' : `${Math.round((100 * night) / total.meows)} %`;
  const before = usual === null ? 'nothing is known of before' : `before: ${usual.meowsADay.toFixed(1)}`;
  const longest = bursts[0];
  const tile = (what: string, value: string, more: string) =>
    `<div><dt>${what}</dt><dd class="value">${value}</dd><dd class="muted small">${more}</dd></div>`;
  return `<dl class="sums">
${tile('Shakes', String(total.meows), `${lengthLabel(total.meowMs)} together`)}
${tile('A day', (total.meows / lived).toFixed(1), before)}
${tile('Longest', longest === undefined ? '–' : lengthLabel(longest.durationMs), total.meows === 0 ? 'none' : `mean ${lengthLabel(total.meowMs / total.meows)}`)}
${tile('At night', share, `from ${NIGHT.from}:00 to ${NIGHT.to}:00`)}
</dl>`;
}

function burstsOf({ bursts, tz }: Report): string {
  if (bursts.length === 0) return '<h2>Longest shakes</h2>\n<p>None was detected.</p>';
  const rows = bursts.map(
    ({ atMs, durationMs, peakG, place, isGiven }) =>
      `<tr><td>${momentLabel(atMs, tz)}</td><td class="number">${lengthLabel(durationMs)}</td><td class="number">${peakG.toFixed(1)} g</td><td>${place === null ? '–' : html(place)}${isGiven ? ' <span class="mark">given to this cat by hand</span>' : ''}</td></tr>`,
  );
  const head = '<tr><th>When</th><th class="number">How long</th><th class="number">Peak</th><th>Where</th></tr>';
  return `<h2>Longest shakes</h2>\n<table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function placesOf({ places, moves, fromMs, toMs }: Report): string {
  const most = Math.max(1, ...places.map(({ ms }) => ms));
  const rows = places.map(({ place, ms, meows }) => {
    const share = Math.round((100 * ms) / (toMs - fromMs));
    const name = place === null ? '<span class="muted">not known, or not heard</span>' : html(place);
    return `<tr><td>${name}</td><td class="bar"><i style="width:${Math.round((100 * ms) / most)}%"></i></td><td class="number">${lengthLabel(ms)}</td><td class="number">${share} %</td><td class="number">${meows}</td></tr>`;
  });
  const head =
    '<tr><th>Place</th><th></th><th class="number">Time</th><th class="number">Share</th><th class="number">Shakes</th></tr>';
  return `<h2>Places</h2>\n<table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table>\n<p class="muted small">Moved ${moves} ${moves === 1 ? 'time' : 'times'}.</p>`;
}

function alertsOf({ alerts, tz }: Report): string {
  if (alerts.length === 0) return '';
  const items = alerts.map(({ atMs, text }) => `<tr><td>${momentLabel(atMs, tz)}</td><td>${html(text)}</td></tr>`);
  return `<h2>Alerts</h2>\n<table><tbody>${items.join('\n')}</tbody></table>`;
}

function correctionsOf({ corrected, tz }: Report): string {
  if (corrected.length === 0) return '';
  const how = {
    'taken back': 'taken back: not counted',
    'given away': 'given to another cat: not counted',
    'given here': 'given to this cat: counted',
  };
  const rows = corrected.map(
    (one) =>
      `<tr><td>${momentLabel(one.atMs, tz)}</td><td>${html(one.type)}</td><td>${how[one.how]}</td><td>${html(one.reason)}</td></tr>`,
  );
  const head = '<tr><th>When</th><th>Event</th><th>By hand</th><th>Why</th></tr>';
  return `<h2>Corrected by hand</h2>\n<table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table>`;
}

/** What it does not know: no chart shows it. */
function gapsOf(report: Report): string {
  const { tz, unheard, quiet, outages, losses, awaited, unsynced, retimed, fromMs, toMs } = report;
  const from = (ms: number, end: number) =>
    `${momentLabel(ms, tz)} to ${end >= toMs ? 'the end' : momentLabel(end, tz)} (${lengthLabel(end - ms)})`;
  const groups: [title: string, items: readonly string[]][] = [
    ['The collar was not heard', unheard.map((gap) => from(gap.fromMs, gap.toMs))],
    [
      `Nothing came of this cat for ${lengthLabel(QUIET_MS)} or more: asleep, or not recorded`,
      quiet.map((gap) => from(gap.fromMs, gap.toMs)),
    ],
    [
      'A receiver was not read',
      outages.map(
        (one) => `${from(one.fromMs, one.toMs)}: ${html(one.source)} of ${html(one.agent)}, ${html(one.reason)}`,
      ),
    ],
    ['Events were lost for good', losses.map((loss) => `${lossWords(loss, tz)}: ${html(loss.reason)}`)],
    ['Events are still to come', awaited.map(({ agent, events }) => `${events} of ${html(agent)}`)],
    ['The time may be wrong', unsynced === 0 ? [] : [`${unsynced} events came from a clock that was not set`]],
    ['The time was corrected', retimed === 0 ? [] : [`${retimed} events came before their agent knew the time`]],
  ];
  const told = groups.filter(([, items]) => items.length > 0);
  const heard = 1 - unheardOf(report) / (toMs - fromMs);
  const lead = `<p>The collar was heard for ${Math.floor(1_000 * heard) / 10} % of the time.${told.length === 0 ? ' Nothing is known to be missing.' : ''}</p>`;
  const lists = told.map(
    ([title, items]) => `<h3>${title}</h3><ul>${items.map((item) => `<li>${item}</li>`).join('')}</ul>`,
  );
  return `<h2>What is missing</h2>\n<div class="known">${lead}${lists.join('\n')}</div>`;
}

function unheardOf({ unheard }: CatReport): number {
  return unheard.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
}

function lossWords({ agent, count, afterMs, beforeMs }: Report['losses'][number], tz: string): string {
  const since = afterMs === null ? 'before' : `between ${momentLabel(afterMs, tz)} and`;
  const until = beforeMs === null ? 'now' : momentLabel(beforeMs, tz);
  return `${count} of ${html(agent)}, ${since} ${until}`;
}
