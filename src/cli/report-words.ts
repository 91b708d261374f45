/** How a report says times, lengths and strangers' text. */

const LOCALE = 'en-GB';

/** `Mon 23 Nov`. */
export function dayLabel(ms: number, timeZone: string): string {
  return part(ms, timeZone, { weekday: 'short', day: 'numeric', month: 'short' }).replace(',', '');
}

/** `Mon 23 Nov, 06:14`. */
export function momentLabel(ms: number, timeZone: string): string {
  return `${dayLabel(ms, timeZone)}, ${part(ms, timeZone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })}`;
}

/** `23 November 2026`. */
export function dateLabel(ms: number, timeZone: string): string {
  return part(ms, timeZone, { day: 'numeric', month: 'long', year: 'numeric' });
}

/** `2 d 3 h`, `6 h 10 min`, `4 min`, `12 s`, `0.4 s`: two units at most. */
export function lengthLabel(ms: number): string {
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)} min${seconds % 60 === 0 ? '' : ` ${seconds % 60} s`}`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
  return `${Math.floor(hours / 24)} d${hours % 24 === 0 ? '' : ` ${hours % 24} h`}`;
}

/** For text and attributes. What would turn the direction of the text around it, or is no character, is left out. */
export function html(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is left out
      .replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu, '\ufffd')
      .replace(/[&<>"'`]/g, (c) => `&#${c.charCodeAt(0)};`)
  );
}

function part(ms: number, timeZone: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(LOCALE, { timeZone, ...options }).format(ms);
}
