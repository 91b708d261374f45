/** What the detectors decided, as events: its time in the clock of the readings becomes wall time. */
import { type NewEvent, newEvent } from '../contract/event.ts';
import { type Clock, type EventTime, eventTime, isoTime } from './clock.ts';
import type { Detection } from './detector/detection.ts';
import { type DetectorNames, kindOf } from './detector-names.ts';
import type { RememberedCollar } from './log/event-log.ts';

export function toEvent(detection: Detection, clock: Clock, names: DetectorNames): NewEvent {
  const wall = (monoMs: number) => isoTime(clock.wallNow() - (clock.monoNow() - monoMs));
  const at = (monoMs: number): EventTime => eventTime(clock, monoMs);
  const subject = `collar/${detection.collar}`;
  const detector = names[kindOf(detection.type)];
  switch (detection.type) {
    case 'meow.started':
      return newEvent('meow.started', subject, { level: detection.level, detector }, at(detection.startMs));
    case 'meow.ended': {
      const { durationMs, peakG, readings, place, endMs } = detection;
      return newEvent('meow.ended', subject, { durationMs, peakG, readings, place, detector }, at(endMs));
    }
    case 'cat.moved': {
      const { from, to, confidence, atMs } = detection;
      return newEvent(
        'cat.moved',
        subject,
        { from, to, ...(confidence === undefined ? {} : { confidence }), detector },
        at(atMs),
      );
    }
    case 'collar.sighted': {
      const { type, collar: _collar, atMs, ...sighting } = detection;
      // Heard and not decided: no detector is named.
      return newEvent(type, subject, sighting, at(atMs));
    }
    case 'collar.silent':
    case 'collar.heard':
      return newEvent(detection.type, subject, { lastSeen: wall(detection.lastSeenMs), detector }, at(detection.atMs));
    case 'battery.low':
      return newEvent('battery.low', subject, { percent: detection.percent, detector }, at(detection.atMs));
  }
}

/** The end of a meow that was open when the agent was killed: nobody knows how long it went on, and no detector decided it. */
export function unknownEnd(known: RememberedCollar, clock: Clock): NewEvent {
  const data = { durationMs: 0, peakG: 0, readings: 0, place: known.place };
  return newEvent('meow.ended', `collar/${known.collar}`, data, eventTime(clock, clock.monoNow()));
}
